package mock

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// refuse takes a TCP address without listening on it, so that connections to
// it are refused and nobody else can get it until close is called.
func refuse(listen string) (addr string, release func() error, err error) {
	ap, err := netip.ParseAddrPort(listen)
	if err != nil || !ap.Addr().Is4() {
		return "", nil, fmt.Errorf("mock: refuse: %q is not an IPv4 address and port", listen)
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", nil, fmt.Errorf("mock: refuse: %w", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}); err != nil {
		syscall.Close(fd)
		return "", nil, fmt.Errorf("mock: refuse: %w", err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		syscall.Close(fd)
		return "", nil, fmt.Errorf("mock: refuse: %w", err)
	}
	bound := name.(*syscall.SockaddrInet4) // of an AF_INET socket
	return net.JoinHostPort(ap.Addr().String(), fmt.Sprint(bound.Port)), func() error { return syscall.Close(fd) }, nil
}
