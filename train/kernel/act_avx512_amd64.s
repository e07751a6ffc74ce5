#include "textflag.h"
#include "vec_amd64.h"
#include "act_avx512_amd64.h"

// The functions of act_amd64.s sixteen lanes at a time.

// func geluAVX512(dst, x *float32, n int)
TEXT ·geluAVX512(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ n+16(FP), CX
	PHICONST

loop:
	SUBQ $16, CX
	JLT  rest
	VMOVUPS (SI), Z0
	GELU16
	VMOVUPS Z0, (DI)
	ADDQ $64, SI
	ADDQ $64, DI
	JMP  loop

rest:
	ADDQ $16, CX
	JZ   done
	TAIL16(CX, BX)
	VMOVUPS.Z (SI), K1, Z0
	GELU16
	VMOVUPS Z0, K1, (DI)

done:
	VZEROUPPER
	RET

// func geluBackAVX512(dx, dy, x *float32, n int)
TEXT ·geluBackAVX512(SB), NOSPLIT, $0-32
	MOVQ dx+0(FP), DI
	MOVQ dy+8(FP), DX
	MOVQ x+16(FP), SI
	MOVQ n+24(FP), CX
	PHICONST

loop:
	SUBQ $16, CX
	JLT  rest
	VMOVUPS (SI), Z0
	VMOVUPS (DX), Z8
	GELUBACK16
	VMOVUPS Z0, (DI)
	ADDQ $64, SI
	ADDQ $64, DX
	ADDQ $64, DI
	JMP  loop

rest:
	ADDQ $16, CX
	JZ   done
	TAIL16(CX, BX)
	VMOVUPS.Z (SI), K1, Z0
	VMOVUPS.Z (DX), K1, Z8
	GELUBACK16
	VMOVUPS Z0, K1, (DI)

done:
	VZEROUPPER
	RET

// func softmaxAVX512(p *float32, ld, rows, n int, scale float32)
//
// As softmaxAVX2, for any n from 1.
TEXT ·softmaxAVX512(SB), NOSPLIT, $0-36
	MOVQ p+0(FP), DI
	MOVQ ld+8(FP), R8
	MOVQ rows+16(FP), AX
	MOVQ n+24(FP), DX
	VBROADCASTSS scale+32(FP), Z15
	EXPCONST

	// DX whole vectors, in bytes, then one of 1 to 16 lanes under K1.
	DECQ DX
	MOVQ DX, CX
	ANDQ $15, CX
	INCQ CX
	TAIL16(CX, BX)
	SHRQ $4, DX
	SHLQ $6, DX

row:
	VBROADCASTSS NEGINF, Z14
	XORQ CX, CX

top:
	CMPQ CX, DX
	JGE  toptail
	VMAXPS (DI)(CX*1), Z14, Z14
	ADDQ $64, CX
	JMP  top

toptail:
	VMAXPS (DI)(CX*1), Z14, K1, Z14
	VEXTRACTF64X4 $1, Z14, Y0
	VMAXPS Y0, Y14, Y14
	VEXTRACTF128 $1, Y14, X0
	VMAXPS X0, X14, X14
	VPERMILPS $0x4e, X14, X0
	VMAXPS X0, X14, X14
	VPERMILPS $0xb1, X14, X0
	VMAXPS X0, X14, X14
	VBROADCASTSS X14, Z14
	VXORPS Z13, Z13, Z13
	XORQ CX, CX

power:
	CMPQ CX, DX
	JGE  powertail
	VMOVUPS (DI)(CX*1), Z0
	VSUBPS Z14, Z0, Z0
	VMULPS Z15, Z0, Z0
	EXP16(Z0, Z1, Z3)
	VMOVUPS Z3, (DI)(CX*1)
	VADDPS Z3, Z13, Z13
	ADDQ $64, CX
	JMP  power

powertail:
	VMOVUPS.Z (DI)(CX*1), K1, Z0
	VSUBPS Z14, Z0, Z0
	VMULPS Z15, Z0, Z0
	EXP16(Z0, Z1, Z3)
	VADDPS Z3, Z13, K1, Z13
	VEXTRACTF64X4 $1, Z13, Y0
	VADDPS Y0, Y13, Y13
	SUM(Y13, X13, X0)
	VDIVSS X13, X25, X13
	VBROADCASTSS X13, Z13
	VMULPS Z13, Z3, Z3
	VMOVUPS Z3, K1, (DI)(CX*1)
	XORQ CX, CX

share:
	CMPQ CX, DX
	JGE  next
	VMULPS (DI)(CX*1), Z13, Z0
	VMOVUPS Z0, (DI)(CX*1)
	ADDQ $64, CX
	JMP  share

next:
	ADDQ R8, DI
	DECQ AX
	JNZ  row
	VZEROUPPER
	RET

// func softmaxBackAVX512(dp, p *float32, ld, rows, n int, scale float32)
//
// As softmaxBackAVX2, for any n from 1.
TEXT ·softmaxBackAVX512(SB), NOSPLIT, $0-44
	MOVQ dp+0(FP), DI
	MOVQ p+8(FP), SI
	MOVQ ld+16(FP), R8
	MOVQ rows+24(FP), AX
	MOVQ n+32(FP), DX
	VBROADCASTSS scale+40(FP), Z15
	DECQ DX
	MOVQ DX, CX
	ANDQ $15, CX
	INCQ CX
	TAIL16(CX, BX)
	SHRQ $4, DX
	SHLQ $6, DX

row:
	XORQ CX, CX
	VXORPS Z13, Z13, Z13

dot:
	CMPQ CX, DX
	JGE  dottail
	VMOVUPS (DI)(CX*1), Z0
	VFMADD231PS (SI)(CX*1), Z0, Z13
	ADDQ $64, CX
	JMP  dot

dottail:
	VMOVUPS.Z (DI)(CX*1), K1, Z0
	VMOVUPS.Z (SI)(CX*1), K1, Z1
	VFMADD231PS Z1, Z0, Z13
	VEXTRACTF64X4 $1, Z13, Y2
	VADDPS Y2, Y13, Y13
	SUM(Y13, X13, X2)
	VBROADCASTSS X13, Z13
	VSUBPS Z13, Z0, Z0
	VMULPS Z15, Z0, Z0
	VMULPS Z1, Z0, Z0
	VMOVUPS Z0, K1, (DI)(CX*1)
	XORQ CX, CX

write:
	CMPQ CX, DX
	JGE  next
	VMOVUPS (DI)(CX*1), Z0
	VSUBPS Z13, Z0, Z0
	VMULPS Z15, Z0, Z0
	VMULPS (SI)(CX*1), Z0, Z0
	VMOVUPS Z0, (DI)(CX*1)
	ADDQ $64, CX
	JMP  write

next:
	ADDQ R8, DI
	ADDQ R8, SI
	DECQ AX
	JNZ  row
	VZEROUPPER
	RET
