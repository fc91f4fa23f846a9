package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"testing"
	"time"

	extproc "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T) extproc.ExternalProcessor_ProcessClient {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, socket) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	deadline, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	stream, err := extproc.NewExternalProcessorClient(conn).Process(deadline, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func TestEveryMessageGoesOn(t *testing.T) {
	stream := open(t)
	body := &extproc.HttpBody{Body: bytes.Repeat([]byte("x"), 8<<20), EndOfStream: true} // over gRPC's default limit
	for _, tc := range []struct {
		req  *extproc.ProcessingRequest
		want *extproc.ProcessingResponse
	}{
		{&extproc.ProcessingRequest{Request: &extproc.ProcessingRequest_RequestHeaders{RequestHeaders: &extproc.HttpHeaders{}}}, requestHeaders},
		{&extproc.ProcessingRequest{Request: &extproc.ProcessingRequest_RequestBody{RequestBody: body}}, requestBody},
		{&extproc.ProcessingRequest{Request: &extproc.ProcessingRequest_RequestTrailers{RequestTrailers: &extproc.HttpTrailers{}}}, requestTrailers},
		{&extproc.ProcessingRequest{Request: &extproc.ProcessingRequest_ResponseHeaders{ResponseHeaders: &extproc.HttpHeaders{}}}, responseHeaders},
		{&extproc.ProcessingRequest{Request: &extproc.ProcessingRequest_ResponseBody{ResponseBody: body}}, responseBody},
		{&extproc.ProcessingRequest{Request: &extproc.ProcessingRequest_ResponseTrailers{ResponseTrailers: &extproc.HttpTrailers{}}}, responseTrailers},
	} {
		if err := stream.Send(tc.req); err != nil {
			t.Fatal(err)
		}
		got, err := stream.Recv()
		if err != nil {
			t.Fatalf("%T: %v", tc.req.Request, err)
		}
		if !proto.Equal(got, tc.want) {
			t.Errorf("%T: %v", tc.req.Request, got)
		}
	}
	stream.CloseSend()
	if resp, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v, %v", resp, err)
	}
}

func TestUnknownMessageIsAnError(t *testing.T) {
	stream := open(t)
	if err := stream.Send(&extproc.ProcessingRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.InvalidArgument {
		t.Errorf("error %v", err)
	}
}

func TestServeWithoutPlace(t *testing.T) {
	if err := serve(t.Context(), filepath.Join(t.TempDir(), "missing", "s")); err == nil {
		t.Error("it served")
	}
}
