//go:build !linux

package main

import "github.com/rogpeppe/go-internal/testscript"

func canMount(string) bool { return false }

func smalldisk(ts *testscript.TestScript, neg bool, args []string) { ts.Fatalf("needs Linux") }
