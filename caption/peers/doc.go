// Package peers holds `make test-peers` and `make bench-caption`: captioning against what others wrote.
//
// # An endpoint of others
//
// Under the tag peers, the program asks @copilotkit/aimock, an OpenAI-compatible endpoint from npm whose version is pinned
// in testdata/aimock. Its journal says what it received, byte for byte, and its faults are lived through. It needs node.
//
// # A client of others
//
// Under the tag bench, the program is timed beside the official Python client doing the same work, and beside the
// preparing of pictures alone, in turns on the same machine. It needs python3.
//
// Plain `go test` finds nothing here.
package peers
