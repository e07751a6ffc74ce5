#include "textflag.h"

// Each constant of vec_amd64.h in eight lanes; v is two of them.
#define EIGHT(at, v) \
	DATA ·vec+at+0(SB)/8, $v  \
	DATA ·vec+at+8(SB)/8, $v  \
	DATA ·vec+at+16(SB)/8, $v \
	DATA ·vec+at+24(SB)/8, $v

EIGHT(0, 0x3fb8aa3b3fb8aa3b) // LOG2E: 1/ln 2
EIGHT(32, 0x3f3180003f318000) // LN2HI: ln 2, its high bits
EIGHT(64, 0xb95e8083b95e8083) // LN2LO: ln 2, the rest
EIGHT(96, 0x3950696739506967) // EXP7: exp on [-ln2/2, ln2/2], after Cephes expf
EIGHT(128, 0x3ab743ce3ab743ce) // EXP6
EIGHT(160, 0x3c0889083c088908) // EXP5
EIGHT(192, 0x3d2aa9c13d2aa9c1) // EXP4
EIGHT(224, 0x3e2aaaaa3e2aaaaa) // EXP3
EIGHT(256, 0x3f0000003f000000) // EXP2
EIGHT(288, 0x3f8000003f800000) // ONE
EIGHT(320, 0xc2aea8f6c2aea8f6) // EXPLOW: below it exp is a denormal: zero here
EIGHT(352, 0x7fffffff7fffffff) // ABS: clears the sign
EIGHT(384, 0xbf000000bf000000) // NEGHALF
EIGHT(416, 0x3e6d33883e6d3388) // ERFP: erf, Abramowitz & Stegun 7.1.26: p/√2
EIGHT(448, 0x3e0279063e027906) // ERF1: a1/2
EIGHT(480, 0xbe11a98ebe11a98e) // ERF2
EIGHT(512, 0x3f35f0e33f35f0e3) // ERF3
EIGHT(544, 0xbf3a00e3bf3a00e3) // ERF4
EIGHT(576, 0x3f07dc223f07dc22) // ERF5
EIGHT(608, 0x461c4000461c4000) // BIG: stands for infinity where it meets a zero
EIGHT(640, 0xc61c4000c61c4000) // NEGBIG
EIGHT(672, 0x3ecc422a3ecc422a) // PDF: 1/√(2π)
EIGHT(704, 0xc0000000c0000000) // NEGTWO
EIGHT(736, 0x3f2000003f200000) // TANHMID: below it tanh is a polynomial, after Cephes tanhf
EIGHT(768, 0xbbbaf0eabbbaf0ea) // TANH9
EIGHT(800, 0x3ca9134e3ca9134e) // TANH7
EIGHT(832, 0xbd5c1e2dbd5c1e2d) // TANH5
EIGHT(864, 0x3e0883933e088393) // TANH3
EIGHT(896, 0xbeaaaa99beaaaa99) // TANH1
EIGHT(928, 0xff800000ff800000) // NEGINF
GLOBL ·vec(SB), RODATA|NOPTR, $960

// Eight lanes of ones, then of zeros: see TAILMASK.
DATA ·tail+0(SB)/8, $0xffffffffffffffff
DATA ·tail+8(SB)/8, $0xffffffffffffffff
DATA ·tail+16(SB)/8, $0xffffffffffffffff
DATA ·tail+24(SB)/8, $0xffffffffffffffff
DATA ·tail+32(SB)/8, $0
DATA ·tail+40(SB)/8, $0
DATA ·tail+48(SB)/8, $0
DATA ·tail+56(SB)/8, $0
GLOBL ·tail(SB), RODATA|NOPTR, $64
