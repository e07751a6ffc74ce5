#include "textflag.h"
#include "vec_amd64.h"
#include "act_avx512_amd64.h"

// func scaleShiftGELUAVX512(dst, x, gamma, beta *float32, n int)
//
// dst = GELU(gamma x + beta)
TEXT ·scaleShiftGELUAVX512(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ gamma+16(FP), R8
	MOVQ beta+24(FP), R9
	MOVQ n+32(FP), CX
	XORQ DX, DX
	PHICONST

loop:
	SUBQ $16, CX
	JLT  rest
	VMOVUPS (R8)(DX*1), Z7
	VMOVUPS (R9)(DX*1), Z0
	VFMADD231PS (SI)(DX*1), Z7, Z0
	GELU16
	VMOVUPS Z0, (DI)(DX*1)
	ADDQ $64, DX
	JMP  loop

rest:
	ADDQ $16, CX
	JZ   done
	TAIL16(CX, BX)
	VMOVUPS.Z (SI)(DX*1), K1, Z8
	VMOVUPS.Z (R8)(DX*1), K1, Z7
	VMOVUPS.Z (R9)(DX*1), K1, Z0
	VFMADD231PS Z8, Z7, Z0
	GELU16
	VMOVUPS Z0, K1, (DI)(DX*1)

done:
	VZEROUPPER
	RET

// func scaleShiftGELUBackAVX512(dpre, dy, pre, gamma, beta, dgamma, dbeta *float32, n int)
//
// g = dy GELU'(gamma pre + beta), dgamma += g pre, dbeta += g, dpre = g gamma
TEXT ·scaleShiftGELUBackAVX512(SB), NOSPLIT, $0-64
	MOVQ dpre+0(FP), DI
	MOVQ dy+8(FP), R13
	MOVQ pre+16(FP), SI
	MOVQ gamma+24(FP), R8
	MOVQ beta+32(FP), R9
	MOVQ dgamma+40(FP), R10
	MOVQ dbeta+48(FP), R11
	MOVQ n+56(FP), CX
	XORQ DX, DX
	PHICONST

loop:
	SUBQ $16, CX
	JLT  rest
	VMOVUPS (SI)(DX*1), Z9
	VMOVUPS (R8)(DX*1), Z10
	VMOVUPS (R9)(DX*1), Z0
	VFMADD231PS Z9, Z10, Z0
	VMOVUPS (R13)(DX*1), Z8
	GELUBACK16
	VMOVUPS (R10)(DX*1), Z1
	VFMADD231PS Z9, Z0, Z1
	VMOVUPS Z1, (R10)(DX*1)
	VADDPS (R11)(DX*1), Z0, Z1
	VMOVUPS Z1, (R11)(DX*1)
	VMULPS Z10, Z0, Z0
	VMOVUPS Z0, (DI)(DX*1)
	ADDQ $64, DX
	JMP  loop

rest:
	ADDQ $16, CX
	JZ   done
	TAIL16(CX, BX)
	VMOVUPS.Z (SI)(DX*1), K1, Z9
	VMOVUPS.Z (R8)(DX*1), K1, Z10
	VMOVUPS.Z (R9)(DX*1), K1, Z0
	VFMADD231PS Z9, Z10, Z0
	VMOVUPS.Z (R13)(DX*1), K1, Z8
	GELUBACK16
	VMOVUPS.Z (R10)(DX*1), K1, Z1
	VFMADD231PS Z9, Z0, Z1
	VMOVUPS Z1, K1, (R10)(DX*1)
	VMOVUPS.Z (R11)(DX*1), K1, Z1
	VADDPS Z1, Z0, Z1
	VMOVUPS Z1, K1, (R11)(DX*1)
	VMULPS Z10, Z0, Z0
	VMOVUPS Z0, K1, (DI)(DX*1)

done:
	VZEROUPPER
	RET
