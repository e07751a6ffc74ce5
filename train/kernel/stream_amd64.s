#include "textflag.h"

// func streamAVX2(dst, src *float32, lines int)
//
// Copies lines of 64 bytes past the caches, where dst is aligned to 32 bytes; else as ever.
TEXT ·streamAVX2(SB), NOSPLIT, $0-24
	MOVQ  dst+0(FP), DI
	MOVQ  src+8(FP), SI
	MOVQ  lines+16(FP), CX
	TESTQ $31, DI
	JNZ   slow

loop:
	VMOVUPS  (SI), Y0
	VMOVUPS  32(SI), Y1
	VMOVNTPS Y0, (DI)
	VMOVNTPS Y1, 32(DI)
	ADDQ     $64, SI
	ADDQ     $64, DI
	DECQ     CX
	JNZ      loop
	SFENCE
	VZEROUPPER
	RET

slow:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ    $64, SI
	ADDQ    $64, DI
	DECQ    CX
	JNZ     slow
	VZEROUPPER
	RET
