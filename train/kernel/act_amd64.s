#include "textflag.h"
#include "vec_amd64.h"

// PHI needs x in Y0 and sets Y1 = |x|, Y5 = exp(-x²/2) and
// Y6 = Φ(-|x|) = erfc(|x|/√2)/2, after Abramowitz & Stegun 7.1.26.
#define PHI \
	VANDPS       ABS, Y0, Y1      \
	VMULPS       Y0, Y0, Y2       \
	VMULPS       NEGHALF, Y2, Y2  \
	EXP(Y2, Y3, Y4, Y5)           \
	VMOVUPS      ONE, Y7          \
	VMOVUPS      Y7, Y2           \
	VFMADD231PS  ERFP, Y1, Y2     \
	VDIVPS       Y2, Y7, Y2       \
	VMOVUPS      ERF5, Y6         \
	VFMADD213PS  ERF4, Y2, Y6     \
	VFMADD213PS  ERF3, Y2, Y6     \
	VFMADD213PS  ERF2, Y2, Y6     \
	VFMADD213PS  ERF1, Y2, Y6     \
	VMULPS       Y2, Y6, Y6       \
	VMULPS       Y5, Y6, Y6

// x Φ(x) = max(x, 0) - |x| Φ(-|x|), into Y0.
#define GELU \
	PHI                           \
	VMINPS       BIG, Y1, Y1      \
	VXORPS       Y2, Y2, Y2       \
	VMAXPS       Y2, Y0, Y0       \
	VFNMADD231PS Y1, Y6, Y0

// Y8 times Φ(x) + x φ(x), into Y0.
#define GELUBACK \
	PHI                           \
	VSUBPS       Y6, Y7, Y7       \
	VBLENDVPS    Y0, Y6, Y7, Y6   \
	VMINPS       BIG, Y0, Y0      \
	VMAXPS       NEGBIG, Y0, Y0   \
	VMULPS       PDF, Y5, Y5      \
	VFMADD231PS  Y0, Y5, Y6       \
	VMULPS       Y6, Y8, Y0

// tanh of Y0 into Y0: sign(x) (1-e)/(1+e) with e = exp(-2|x|), and x + x³ p(x²)
// for small x.
#define TANH \
	VANDPS       ABS, Y0, Y1        \
	VMULPS       NEGTWO, Y1, Y2     \
	EXP(Y2, Y3, Y4, Y5)             \
	VMOVUPS      ONE, Y7            \
	VSUBPS       Y5, Y7, Y2         \
	VADDPS       Y5, Y7, Y3         \
	VDIVPS       Y3, Y2, Y2         \
	VXORPS       Y0, Y1, Y3         \
	VORPS        Y3, Y2, Y2         \
	VMULPS       Y0, Y0, Y4         \
	VMOVUPS      TANH9, Y5          \
	VFMADD213PS  TANH7, Y4, Y5      \
	VFMADD213PS  TANH5, Y4, Y5      \
	VFMADD213PS  TANH3, Y4, Y5      \
	VFMADD213PS  TANH1, Y4, Y5      \
	VMULPS       Y4, Y5, Y5         \
	VFMADD213PS  Y0, Y0, Y5         \
	VCMPPS       $1, TANHMID, Y1, Y3 \
	VBLENDVPS    Y3, Y5, Y2, Y0

// func geluAVX2(dst, x *float32, n int)
TEXT ·geluAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ n+16(FP), CX

loop:
	SUBQ $8, CX
	JLT  rest
	VMOVUPS (SI), Y0
	GELU
	VMOVUPS Y0, (DI)
	ADDQ $32, SI
	ADDQ $32, DI
	JMP  loop

rest:
	ADDQ $8, CX
	JZ   done
	TAILMASK(CX, Y9, AX)
	VMASKMOVPS (SI), Y9, Y0
	GELU
	VMASKMOVPS Y0, Y9, (DI)

done:
	VZEROUPPER
	RET

// func geluBackAVX2(dx, dy, x *float32, n int)
TEXT ·geluBackAVX2(SB), NOSPLIT, $0-32
	MOVQ dx+0(FP), DI
	MOVQ dy+8(FP), DX
	MOVQ x+16(FP), SI
	MOVQ n+24(FP), CX

loop:
	SUBQ $8, CX
	JLT  rest
	VMOVUPS (SI), Y0
	VMOVUPS (DX), Y8
	GELUBACK
	VMOVUPS Y0, (DI)
	ADDQ $32, SI
	ADDQ $32, DX
	ADDQ $32, DI
	JMP  loop

rest:
	ADDQ $8, CX
	JZ   done
	TAILMASK(CX, Y9, AX)
	VMASKMOVPS (SI), Y9, Y0
	VMASKMOVPS (DX), Y9, Y8
	GELUBACK
	VMASKMOVPS Y0, Y9, (DI)

done:
	VZEROUPPER
	RET

// func tanhAVX2(dst, x *float32, n int)
TEXT ·tanhAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ n+16(FP), CX

loop:
	SUBQ $8, CX
	JLT  rest
	VMOVUPS (SI), Y0
	TANH
	VMOVUPS Y0, (DI)
	ADDQ $32, SI
	ADDQ $32, DI
	JMP  loop

rest:
	ADDQ $8, CX
	JZ   done
	TAILMASK(CX, Y9, AX)
	VMASKMOVPS (SI), Y9, Y0
	TANH
	VMASKMOVPS Y0, Y9, (DI)

done:
	VZEROUPPER
	RET

// func softmaxAVX2(p *float32, ld, rows, n int, scale float32)
//
// In place: row = exp(scale (x - max)) / sum, over n columns, a multiple of 8.
TEXT ·softmaxAVX2(SB), NOSPLIT, $0-36
	MOVQ p+0(FP), DI
	MOVQ ld+8(FP), R8
	MOVQ rows+16(FP), AX
	MOVQ n+24(FP), BX
	VBROADCASTSS scale+32(FP), Y15

row:
	MOVQ DI, SI
	MOVQ BX, CX
	VMOVUPS NEGINF, Y14

top:
	VMAXPS (SI), Y14, Y14
	ADDQ $32, SI
	SUBQ $8, CX
	JNZ  top
	VEXTRACTF128 $1, Y14, X0
	VMAXPS X0, X14, X14
	VPERMILPS $0x4e, X14, X0
	VMAXPS X0, X14, X14
	VPERMILPS $0xb1, X14, X0
	VMAXPS X0, X14, X14
	VBROADCASTSS X14, Y14
	MOVQ DI, SI
	MOVQ BX, CX
	VXORPS Y13, Y13, Y13

power:
	VMOVUPS (SI), Y0
	VSUBPS Y14, Y0, Y0
	VMULPS Y15, Y0, Y0
	EXP(Y0, Y1, Y2, Y3)
	VMOVUPS Y3, (SI)
	VADDPS Y3, Y13, Y13
	ADDQ $32, SI
	SUBQ $8, CX
	JNZ  power
	SUM(Y13, X13, X0)
	VMOVUPS ONE, Y0
	VDIVPS Y13, Y0, Y13
	MOVQ DI, SI
	MOVQ BX, CX

share:
	VMULPS (SI), Y13, Y0
	VMOVUPS Y0, (SI)
	ADDQ $32, SI
	SUBQ $8, CX
	JNZ  share
	ADDQ R8, DI
	DECQ AX
	JNZ  row
	VZEROUPPER
	RET

// func softmaxBackAVX2(dp, p *float32, ld, rows, n int, scale float32)
//
// In place: dp = scale p (dp - sum(p dp)), over n columns, a multiple of 8.
TEXT ·softmaxBackAVX2(SB), NOSPLIT, $0-44
	MOVQ dp+0(FP), DI
	MOVQ p+8(FP), SI
	MOVQ ld+16(FP), R8
	MOVQ rows+24(FP), AX
	MOVQ n+32(FP), BX
	VBROADCASTSS scale+40(FP), Y15

row:
	XORQ CX, CX
	VXORPS Y13, Y13, Y13

dot:
	VMOVUPS (DI)(CX*4), Y0
	VFMADD231PS (SI)(CX*4), Y0, Y13
	ADDQ $8, CX
	CMPQ CX, BX
	JLT  dot
	SUM(Y13, X13, X0)
	XORQ CX, CX

write:
	VMOVUPS (DI)(CX*4), Y0
	VSUBPS Y13, Y0, Y0
	VMULPS Y15, Y0, Y0
	VMULPS (SI)(CX*4), Y0, Y0
	VMOVUPS Y0, (DI)(CX*4)
	ADDQ $8, CX
	CMPQ CX, BX
	JLT  write
	ADDQ R8, DI
	ADDQ R8, SI
	DECQ AX
	JNZ  row
	VZEROUPPER
	RET
