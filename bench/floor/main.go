// Command floor is an ext_proc server that answers every message with "go on".
// What Envoy with it costs is the least that any ext_proc server can cost; the
// gateway is measured against it.
//
//	floor SOCKET
//
// It serves on a Unix socket until it gets SIGTERM.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	extproc "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxMessage bounds a message, in bytes: a buffered body and its frame.
const maxMessage = 64 << 20

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: floor SOCKET")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := serve(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve returns when ctx ends. It cuts the streams that are open then.
func serve(ctx context.Context, socket string) error {
	ln, err := net.Listen("unix", socket)
	if err != nil {
		return fmt.Errorf("floor: %w", err)
	}
	s := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage))
	extproc.RegisterExternalProcessorServer(s, server{})
	stop := context.AfterFunc(ctx, s.Stop)
	defer stop()
	if err := s.Serve(ln); !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil // ctx ended before Serve began
}

type server struct {
	extproc.UnimplementedExternalProcessorServer
}

// Process answers each message with the empty answer of its kind.
func (server) Process(stream extproc.ExternalProcessor_ProcessServer) error {
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		resp := goOn(req)
		if resp == nil {
			return status.Errorf(codes.InvalidArgument, "floor: unknown message %T", req.Request)
		}
		if err := stream.Send(resp); err != nil {
			return err
		}
	}
}

// The answers never change, so all streams share them.
var (
	requestHeaders   = &extproc.ProcessingResponse{Response: &extproc.ProcessingResponse_RequestHeaders{RequestHeaders: &extproc.HeadersResponse{}}}
	requestBody      = &extproc.ProcessingResponse{Response: &extproc.ProcessingResponse_RequestBody{RequestBody: &extproc.BodyResponse{}}}
	requestTrailers  = &extproc.ProcessingResponse{Response: &extproc.ProcessingResponse_RequestTrailers{RequestTrailers: &extproc.TrailersResponse{}}}
	responseHeaders  = &extproc.ProcessingResponse{Response: &extproc.ProcessingResponse_ResponseHeaders{ResponseHeaders: &extproc.HeadersResponse{}}}
	responseBody     = &extproc.ProcessingResponse{Response: &extproc.ProcessingResponse_ResponseBody{ResponseBody: &extproc.BodyResponse{}}}
	responseTrailers = &extproc.ProcessingResponse{Response: &extproc.ProcessingResponse_ResponseTrailers{ResponseTrailers: &extproc.TrailersResponse{}}}
)

func goOn(req *extproc.ProcessingRequest) *extproc.ProcessingResponse {
	switch req.Request.(type) {
	case *extproc.ProcessingRequest_RequestHeaders:
		return requestHeaders
	case *extproc.ProcessingRequest_RequestBody:
		return requestBody
	case *extproc.ProcessingRequest_RequestTrailers:
		return requestTrailers
	case *extproc.ProcessingRequest_ResponseHeaders:
		return responseHeaders
	case *extproc.ProcessingRequest_ResponseBody:
		return responseBody
	case *extproc.ProcessingRequest_ResponseTrailers:
		return responseTrailers
	}
	return nil
}
