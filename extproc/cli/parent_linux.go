package cli

import "syscall"

// dieWithParent ends Envoy with us, however we end.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
}
