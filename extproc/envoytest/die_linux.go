package envoytest

import "syscall"

// dieWithParent ends the child when the thread that starts it ends: a test binary that panics leaves no Envoy behind.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
