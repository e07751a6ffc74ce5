//go:build race

package main

// raceEnabled says that every process of the program takes several times as long.
const raceEnabled = true
