package telemetry

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// The numbers of an exporter.
const (
	exportQueue = 32               // batches that may wait
	exportTime  = 10 * time.Second // for one request
	exportTries = 5
	exportPause = time.Second // before the second try; it doubles
	maxPause    = 30 * time.Second
	maxReply    = 64 << 10 // bytes
)

// An exporter sends events to an OTLP collector as log records, by protobuf over
// HTTP (opentelemetry.io/docs/specs/otlp). The body of a record is the line as it
// is in the file. Events that the collector does not take are lost, and counted.
type exporter struct {
	url    string
	log    *slog.Logger
	client *http.Client
	lost   atomic.Int64
	queue  chan []*logs.LogRecord
	cancel context.CancelFunc
	ended  chan struct{}
}

func newExporter(base string, log *slog.Logger) *exporter {
	ctx, cancel := context.WithCancel(context.Background())
	x := &exporter{
		url: strings.TrimRight(base, "/") + "/v1/logs", log: log,
		client: &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment}, Timeout: exportTime},
		queue:  make(chan []*logs.LogRecord, exportQueue), cancel: cancel, ended: make(chan struct{}),
	}
	go x.run(ctx)
	return x
}

// add takes a batch to be sent soon, unless too many wait already.
func (x *exporter) add(events []*Event, lines [][]byte) {
	records := make([]*logs.LogRecord, len(events))
	for i, e := range events {
		records[i] = record(e, lines[i])
	}
	select {
	case x.queue <- records:
	default:
		x.lose(records, nil)
	}
}

func (x *exporter) lose(records []*logs.LogRecord, err error) {
	lose(x.log, &x.lost, int64(len(records)), "decisions did not reach the collector and are lost there", err)
}

// close sends what waits until ctx ends.
func (x *exporter) close(ctx context.Context) error {
	defer x.client.CloseIdleConnections()
	close(x.queue)
	select {
	case <-x.ended:
		x.cancel()
		return nil
	case <-ctx.Done():
		x.cancel()
		<-x.ended
		return fmt.Errorf("the collector has not got all decisions: %w", ctx.Err())
	}
}

func (x *exporter) run(ctx context.Context) {
	defer close(x.ended)
	for records := range x.queue {
		if err := x.export(ctx, records); err != nil {
			x.lose(records, err)
		}
	}
}

// export sends a batch, several times if need be.
func (x *exporter) export(ctx context.Context, records []*logs.LogRecord) error {
	body, err := proto.Marshal(request(records))
	if err != nil {
		return err
	}
	pause := exportPause
	for try := 1; ; try++ {
		wait, err := x.post(ctx, body)
		if err == nil || wait < 0 || try == exportTries || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(max(wait, pause)):
		case <-ctx.Done():
			return ctx.Err()
		}
		pause *= 2
	}
}

// post sends a request once. Of an error it says how long to wait at least before
// the next try; a negative time means that there should be none.
func (x *exporter) post(ctx context.Context, body []byte) (wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.url, bytes.NewReader(body))
	if err != nil {
		return -1, err
	}
	req.Header.Set("content-type", "application/x-protobuf")
	resp, err := x.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	switch resp.StatusCode {
	case http.StatusOK:
		rejected := rejected(reply)
		lose(x.log, &x.lost, rejected, "decisions were rejected by the collector and are lost there", nil)
		return 0, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		after, _ := strconv.ParseInt(resp.Header.Get("retry-after"), 10, 32) // 0 if it is no number
		return min(time.Duration(after)*time.Second, maxPause), fmt.Errorf("the collector answered %s", resp.Status)
	}
	if err == nil {
		err = fmt.Errorf("the collector answered %s", resp.Status)
	}
	return -1, err
}

// request is an ExportLogsServiceRequest: LogsData is the same bytes, without the
// service's gRPC code.
func request(records []*logs.LogRecord) *logs.LogsData {
	return &logs.LogsData{ResourceLogs: []*logs.ResourceLogs{{
		Resource:  &resource.Resource{Attributes: []*common.KeyValue{attribute("service.name", "attache")}},
		ScopeLogs: []*logs.ScopeLogs{{Scope: &common.InstrumentationScope{Name: "attache/decisions"}, LogRecords: records}},
	}}}
}

// record is an event as a log record.
func record(e *Event, line []byte) *logs.LogRecord {
	r := &logs.LogRecord{
		TimeUnixNano:         uint64(e.Timestamp.UnixNano()),
		ObservedTimeUnixNano: uint64(time.Now().UnixNano()),
		SeverityNumber:       logs.SeverityNumber_SEVERITY_NUMBER_INFO,
		SeverityText:         "INFO",
		EventName:            "attache.decision",
		Body:                 text(string(bytes.TrimSuffix(line, []byte("\n")))),
		Attributes: []*common.KeyValue{
			attribute("decision_id", e.DecisionID),
			attribute("path", e.Path),
			attribute("outcome.code", e.Outcome.Code),
		},
	}
	if e.Error != nil {
		r.SeverityNumber, r.SeverityText = logs.SeverityNumber_SEVERITY_NUMBER_ERROR, "ERROR"
	}
	r.TraceId, _ = hex.DecodeString(e.TraceID) // checked when they were read
	r.SpanId, _ = hex.DecodeString(e.SpanID)
	return r
}

func attribute(key, value string) *common.KeyValue {
	return &common.KeyValue{Key: key, Value: text(value)}
}

func text(s string) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: strings.ToValidUTF8(s, "\ufffd")}}
}

// rejected reads the number of rejected records out of an
// ExportLogsServiceResponse: field 1 of its field 1, partial_success.
func rejected(reply []byte) int64 {
	n, partial := field(reply, 1)
	if n != protowire.BytesType {
		return 0
	}
	b, size := protowire.ConsumeBytes(partial)
	if size < 0 {
		return 0
	}
	if n, partial = field(b, 1); n != protowire.VarintType {
		return 0
	}
	v, size := protowire.ConsumeVarint(partial)
	if size < 0 {
		return 0
	}
	return max(int64(v), 0)
}

// field finds a field of a message: its type, -1 if it is not there, and the bytes
// that begin with its value.
func field(b []byte, number protowire.Number) (protowire.Type, []byte) {
	for len(b) > 0 {
		n, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			break
		}
		b = b[size:]
		if n == number {
			return kind, b
		}
		if size = protowire.ConsumeFieldValue(n, kind, b); size < 0 {
			break
		}
		b = b[size:]
	}
	return -1, nil
}
