#include "textflag.h"
#include "vec_amd64.h"

// The functions of act_amd64.s sixteen lanes at a time, the constants in
// registers and the tail under K1.

// EXPCONST loads what EXP16 needs into Z16..Z26.
#define EXPCONST \
	VBROADCASTSS LOG2E, Z16  \
	VBROADCASTSS LN2HI, Z17  \
	VBROADCASTSS LN2LO, Z18  \
	VBROADCASTSS EXP7, Z19   \
	VBROADCASTSS EXP6, Z20   \
	VBROADCASTSS EXP5, Z21   \
	VBROADCASTSS EXP4, Z22   \
	VBROADCASTSS EXP3, Z23   \
	VBROADCASTSS EXP2, Z24   \
	VBROADCASTSS ONE, Z25    \
	VBROADCASTSS EXPLOW, Z26

// EXP16 is EXP; it overwrites x, t and K2.
#define EXP16(x, t, p) \
	VCMPPS       $5, Z26, x, K2 \
	VMULPS       Z16, x, t      \
	VRNDSCALEPS  $8, t, t       \
	VFNMADD231PS Z17, t, x      \
	VFNMADD231PS Z18, t, x      \
	VMOVAPS      Z19, p         \
	VFMADD213PS  Z20, x, p      \
	VFMADD213PS  Z21, x, p      \
	VFMADD213PS  Z22, x, p      \
	VFMADD213PS  Z23, x, p      \
	VFMADD213PS  Z24, x, p      \
	VFMADD213PS  Z25, x, p      \
	VFMADD213PS  Z25, x, p      \
	VSCALEFPS.Z  t, p, K2, p

#define PHICONST \
	EXPCONST                   \
	VBROADCASTSS NEGHALF, Z27  \
	VBROADCASTSS ERFP, Z28     \
	VBROADCASTSS ERF5, Z29     \
	VBROADCASTSS ERF4, Z30     \
	VBROADCASTSS ERF3, Z31     \
	VBROADCASTSS ERF2, Z15     \
	VBROADCASTSS ERF1, Z14     \
	VBROADCASTSS ABS, Z13      \
	VBROADCASTSS BIG, Z12      \
	VBROADCASTSS PDF, Z11

// PHI16 needs x in Z0 and sets Z1 = |x| (a number, or NaN), Z5 = exp(-x²/2),
// Z6 = Φ(-|x|).
#define PHI16 \
	VANDPS      Z13, Z0, Z1 \
	VMINPS      Z1, Z12, Z1 \
	VMULPS      Z1, Z1, Z2  \
	VMULPS      Z27, Z2, Z2 \
	VMOVAPS     Z25, Z3     \
	VFMADD231PS Z28, Z1, Z3 \
	VDIVPS      Z3, Z25, Z4 \
	EXP16(Z2, Z3, Z5)       \
	VMOVAPS     Z29, Z6     \
	VFMADD213PS Z30, Z4, Z6 \
	VFMADD213PS Z31, Z4, Z6 \
	VFMADD213PS Z15, Z4, Z6 \
	VFMADD213PS Z14, Z4, Z6 \
	VMULPS      Z5, Z4, Z4  \
	VMULPS      Z4, Z6, Z6

#define GELU16 \
	PHI16                    \
	VXORPS       Z2, Z2, Z2  \
	VMAXPS       Z2, Z0, Z0  \
	VFNMADD231PS Z1, Z6, Z0

// x φ(x) has the sign of x: it is added for x >= 0 to 1-Φ(-|x|), else taken away.
#define GELUBACK16 \
	PHI16                          \
	VMULPS       Z11, Z5, Z5       \
	VFNMADD231PS Z1, Z5, Z6        \
	VPMOVD2M     Z0, K2            \
	VSUBPS       Z6, Z25, Z7       \
	VMOVAPS      Z6, K2, Z7        \
	VMULPS       Z7, Z8, Z0

// TAIL16 sets K1 to the first n lanes, n from 1 to 16; tmp must be BX.
#define TAIL16(n, tmp) \
	MOVL  $1, tmp  \
	SHLL  n, tmp   \
	DECL  tmp      \
	KMOVW tmp, K1

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
