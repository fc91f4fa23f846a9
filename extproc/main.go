// Command attache is an AI gateway for people who run Envoy. See the README.
package main

import (
	"os"

	"github.com/attache-gateway/attache/extproc/cli"
)

func main() {
	p := cli.Program{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Env: os.LookupEnv}
	os.Exit(p.Run(os.Args[1:]))
}
