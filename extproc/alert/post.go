package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/attache-gateway/attache/extproc/gateway"
)

// An event is what a webhook gets, as JSON.
type event struct {
	Event         string    `json:"event"`
	Time          time.Time `json:"time"`
	Budget        string    `json:"budget"`
	Per           string    `json:"per"`
	Account       string    `json:"account"` // as the team's name; empty: of those that have none
	SharePermille int64     `json:"share_permille"`
	LimitNano     int64     `json:"limit_nano"`
	UsedNano      int64     `json:"used_nano"`
	Resets        time.Time `json:"resets"`
}

type post struct {
	to gateway.Secret
	event
}

const (
	maxWaiting = 256 // calls
	callTime   = 5 * time.Second
	stopTime   = 5 * time.Second // for what waits at the end
	tries      = 3
	pause      = time.Second // before the second try; it doubles
)

// A poster calls webhooks, one after the other.
type poster struct {
	log    *slog.Logger
	lost   *atomic.Int64
	client *http.Client

	mu     sync.Mutex // held to send, so that stop can close the queue
	closed bool
	queue  chan post
	cancel context.CancelFunc
	ended  chan struct{}
}

func (p *poster) start(log *slog.Logger, lost *atomic.Int64) {
	p.log, p.lost = log, lost
	p.client = &http.Client{
		Timeout:       callTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	p.queue, p.ended = make(chan post, maxWaiting), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go func() {
		defer close(p.ended)
		for one := range p.queue {
			p.deliver(ctx, one)
		}
	}()
}

func (p *poster) stop() {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.queue)
	}
	p.mu.Unlock()
	timer := time.AfterFunc(stopTime, p.cancel)
	<-p.ended
	timer.Stop()
	p.cancel()
	p.client.CloseIdleConnections()
}

// put queues a call. What does not fit is lost.
func (p *poster) put(one post) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		select {
		case p.queue <- one:
			return
		default:
		}
	}
	p.lost.Add(1)
}

// deliver calls a webhook until it takes the event or it was tried often enough.
func (p *poster) deliver(ctx context.Context, one post) {
	wait := pause
	for try := 1; ; try++ {
		err := p.call(ctx, one)
		if err == nil {
			return
		}
		if try == tries || ctx.Err() != nil {
			p.lost.Add(1)
			p.log.Error("the webhook of a budget was not told", "budget", one.Budget, "error", err)
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait *= 2
	}
}

// call does not name the URL in its errors.
func (p *poster) call(ctx context.Context, one post) error {
	body, err := json.Marshal(one.event)
	if err != nil {
		return fmt.Errorf("alert: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, one.to.Reveal(), bytes.NewReader(body))
	if err != nil {
		return errors.New("alert: the URL cannot be called")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "attache")
	response, err := p.client.Do(r)
	if err != nil {
		if named := new(url.Error); errors.As(err, &named) {
			err = named.Err
		}
		return fmt.Errorf("alert: %w", err)
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10) // so that the connection can be used again
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("alert: status %d", response.StatusCode)
	}
	return nil
}
