#include "textflag.h"
#include "vec_amd64.h"

// func addAVX2(dst, a, b *float32, n int)
TEXT ·addAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ n+24(FP), CX
	XORQ BX, BX
	SUBQ $8, CX
	JLT  rest

loop:
	VMOVUPS (SI)(BX*4), Y0
	VADDPS  (DX)(BX*4), Y0, Y0
	VMOVUPS Y0, (DI)(BX*4)
	ADDQ $8, BX
	CMPQ BX, CX
	JLE  loop

rest:
	ADDQ $8, CX
	SUBQ BX, CX
	JZ   done
	TAILMASK(CX, Y9, AX)
	VMASKMOVPS (SI)(BX*4), Y9, Y0
	VMASKMOVPS (DX)(BX*4), Y9, Y1
	VADDPS Y1, Y0, Y0
	VMASKMOVPS Y0, Y9, (DI)(BX*4)

done:
	VZEROUPPER
	RET

// func axpyAVX2(dst, x *float32, alpha float32, n int)
TEXT ·axpyAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	VBROADCASTSS alpha+16(FP), Y8
	MOVQ n+24(FP), CX
	XORQ BX, BX
	SUBQ $8, CX
	JLT  rest

loop:
	VMOVUPS (DI)(BX*4), Y0
	VFMADD231PS (SI)(BX*4), Y8, Y0
	VMOVUPS Y0, (DI)(BX*4)
	ADDQ $8, BX
	CMPQ BX, CX
	JLE  loop

rest:
	ADDQ $8, CX
	SUBQ BX, CX
	JZ   done
	TAILMASK(CX, Y9, AX)
	VMASKMOVPS (DI)(BX*4), Y9, Y0
	VMASKMOVPS (SI)(BX*4), Y9, Y1
	VFMADD231PS Y1, Y8, Y0
	VMASKMOVPS Y0, Y9, (DI)(BX*4)

done:
	VZEROUPPER
	RET

// func scaleShiftAVX2(dst, x, gamma, beta *float32, ds, xs, rows, n int)
//
// rows of n columns, ds and xs bytes from a row to the next.
TEXT ·scaleShiftAVX2(SB), NOSPLIT, $0-64
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ gamma+16(FP), R8
	MOVQ beta+24(FP), R9
	MOVQ ds+32(FP), R10
	MOVQ xs+40(FP), R11
	MOVQ rows+48(FP), DX
	MOVQ n+56(FP), R12

	// R12 the last place where a whole vector begins, CX the tail.
	MOVQ R12, CX
	ANDQ $7, CX
	SUBQ $8, R12
	MOVQ CX, R13
	JZ   row
	TAILMASK(R13, Y9, AX)

row:
	XORQ BX, BX
	CMPQ BX, R12
	JGT  rest

loop:
	VMOVUPS (R8)(BX*4), Y0
	VMOVUPS (R9)(BX*4), Y1
	VFMADD231PS (SI)(BX*4), Y0, Y1
	VMOVUPS Y1, (DI)(BX*4)
	ADDQ $8, BX
	CMPQ BX, R12
	JLE  loop

rest:
	TESTQ CX, CX
	JZ   next
	VMASKMOVPS (R8)(BX*4), Y9, Y0
	VMASKMOVPS (R9)(BX*4), Y9, Y1
	VMASKMOVPS (SI)(BX*4), Y9, Y2
	VFMADD231PS Y2, Y0, Y1
	VMASKMOVPS Y1, Y9, (DI)(BX*4)

next:
	ADDQ R10, DI
	ADDQ R11, SI
	DECQ DX
	JNZ  row
	VZEROUPPER
	RET

// func mulAVX2(dst, a, b *float32, n int)
TEXT ·mulAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ n+24(FP), CX
	XORQ BX, BX
	SUBQ $8, CX
	JLT  rest

loop:
	VMOVUPS (SI)(BX*4), Y0
	VMULPS  (DX)(BX*4), Y0, Y0
	VMOVUPS Y0, (DI)(BX*4)
	ADDQ $8, BX
	CMPQ BX, CX
	JLE  loop

rest:
	ADDQ $8, CX
	SUBQ BX, CX
	JZ   done
	TAILMASK(CX, Y9, AX)
	VMASKMOVPS (SI)(BX*4), Y9, Y0
	VMASKMOVPS (DX)(BX*4), Y9, Y1
	VMULPS Y1, Y0, Y0
	VMASKMOVPS Y0, Y9, (DI)(BX*4)

done:
	VZEROUPPER
	RET

// func normRowAVX2(dst, x, gamma, beta *float32, n int, eps float32, stats *[2]float32)
//
// The mean, then the variance about it, then the row; stats = mean, rstd.
TEXT ·normRowAVX2(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ gamma+16(FP), R8
	MOVQ beta+24(FP), R9
	MOVQ n+32(FP), DX
	MOVQ stats+48(FP), R10
	VXORPS Y12, Y12, Y12
	VXORPS Y13, Y13, Y13
	VCVTSI2SSQ DX, X12, X14
	VBROADCASTSS X14, Y14
	VMOVUPS ONE, Y11
	VDIVPS Y14, Y11, Y14

	// Y9 masks the tail, Y8 holds it; DX becomes the whole part of n.
	VXORPS Y9, Y9, Y9
	MOVQ DX, CX
	ANDQ $~7, DX
	SUBQ DX, CX
	JZ   mean
	TAILMASK(CX, Y9, AX)

mean:
	VMASKMOVPS (SI)(DX*4), Y9, Y8
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	XORQ BX, BX
	MOVQ DX, CX
	SUBQ $32, CX
	JLT  meanone

meanfour:
	VADDPS (SI)(BX*4), Y12, Y12
	VADDPS 32(SI)(BX*4), Y5, Y5
	VADDPS 64(SI)(BX*4), Y6, Y6
	VADDPS 96(SI)(BX*4), Y7, Y7
	ADDQ $32, BX
	CMPQ BX, CX
	JLE  meanfour

meanone:
	CMPQ BX, DX
	JGE  meantail
	VADDPS (SI)(BX*4), Y12, Y12
	ADDQ $8, BX
	JMP  meanone

meantail:
	VADDPS Y8, Y12, Y12
	VADDPS Y6, Y5, Y5
	VADDPS Y7, Y12, Y12
	VADDPS Y5, Y12, Y12
	SUM(Y12, X12, X0)
	VMULPS Y14, Y12, Y12
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	XORQ BX, BX
	CMPQ CX, $0
	JLT  varone

varfour:
	VMOVUPS (SI)(BX*4), Y0
	VMOVUPS 32(SI)(BX*4), Y1
	VMOVUPS 64(SI)(BX*4), Y2
	VMOVUPS 96(SI)(BX*4), Y3
	VSUBPS Y12, Y0, Y0
	VSUBPS Y12, Y1, Y1
	VSUBPS Y12, Y2, Y2
	VSUBPS Y12, Y3, Y3
	VFMADD231PS Y0, Y0, Y13
	VFMADD231PS Y1, Y1, Y5
	VFMADD231PS Y2, Y2, Y6
	VFMADD231PS Y3, Y3, Y7
	ADDQ $32, BX
	CMPQ BX, CX
	JLE  varfour

varone:
	CMPQ BX, DX
	JGE  vartail
	VMOVUPS (SI)(BX*4), Y0
	VSUBPS Y12, Y0, Y0
	VFMADD231PS Y0, Y0, Y13
	ADDQ $8, BX
	JMP  varone

vartail:
	VSUBPS Y12, Y8, Y0
	VANDPS Y9, Y0, Y0
	VFMADD231PS Y0, Y0, Y13
	VADDPS Y6, Y5, Y5
	VADDPS Y7, Y13, Y13
	VADDPS Y5, Y13, Y13
	SUM(Y13, X13, X0)
	VBROADCASTSS eps+40(FP), Y0
	VFMADD213PS Y0, Y14, Y13
	VSQRTPS Y13, Y13
	VDIVPS Y13, Y11, Y13
	VMOVSS X12, (R10)
	VMOVSS X13, 4(R10)
	XORQ BX, BX
	CMPQ DX, $0
	JE   writetail

writeloop:
	VMOVUPS (SI)(BX*4), Y0
	VSUBPS Y12, Y0, Y0
	VMULPS Y13, Y0, Y0
	VMOVUPS (R9)(BX*4), Y1
	VFMADD231PS (R8)(BX*4), Y0, Y1
	VMOVUPS Y1, (DI)(BX*4)
	ADDQ $8, BX
	CMPQ BX, DX
	JLT  writeloop

writetail:
	CMPQ DX, n+32(FP)
	JE   done
	VSUBPS Y12, Y8, Y0
	VMULPS Y13, Y0, Y0
	VMASKMOVPS (R9)(DX*4), Y9, Y1
	VMASKMOVPS (R8)(DX*4), Y9, Y2
	VFMADD231PS Y2, Y0, Y1
	VMASKMOVPS Y1, Y9, (DI)(DX*4)

done:
	VZEROUPPER
	RET

// NORMSUMS adds g = dy gamma and g xhat to Y12 and Y13: x in Y0, dy in Y1, gamma in Y2.
#define NORMSUMS \
	VSUBPS      Y10, Y0, Y0  \
	VMULPS      Y11, Y0, Y0  \
	VMULPS      Y2, Y1, Y1   \
	VADDPS      Y1, Y12, Y12 \
	VFMADD231PS Y0, Y1, Y13

// NORMBACK leaves rstd (g - mean(g) - xhat mean(g xhat)) in Y1.
#define NORMBACK \
	VSUBPS       Y10, Y0, Y0 \
	VMULPS       Y11, Y0, Y0 \
	VMULPS       Y2, Y1, Y1  \
	VSUBPS       Y12, Y1, Y1 \
	VFNMADD231PS Y13, Y0, Y1 \
	VMULPS       Y11, Y1, Y1

// func normBackRowAVX2(dx, dy, x, gamma *float32, n int, mean, rstd float32)
TEXT ·normBackRowAVX2(SB), NOSPLIT, $0-48
	MOVQ dx+0(FP), DI
	MOVQ dy+8(FP), DX
	MOVQ x+16(FP), SI
	MOVQ gamma+24(FP), R8
	MOVQ n+32(FP), R9
	VBROADCASTSS mean+40(FP), Y10
	VBROADCASTSS rstd+44(FP), Y11
	VXORPS Y12, Y12, Y12
	VXORPS Y13, Y13, Y13
	VCVTSI2SSQ R9, X12, X14
	VBROADCASTSS X14, Y14
	VMOVUPS ONE, Y0
	VDIVPS Y14, Y0, Y14
	VXORPS Y9, Y9, Y9
	MOVQ R9, CX
	ANDQ $~7, R9
	SUBQ R9, CX
	JZ   sums
	TAILMASK(CX, Y9, AX)

sums:
	XORQ BX, BX
	CMPQ R9, $0
	JE   sumtail

sumloop:
	VMOVUPS (SI)(BX*4), Y0
	VMOVUPS (DX)(BX*4), Y1
	VMOVUPS (R8)(BX*4), Y2
	NORMSUMS
	ADDQ $8, BX
	CMPQ BX, R9
	JLT  sumloop

sumtail:
	VMASKMOVPS (SI)(R9*4), Y9, Y0
	VMASKMOVPS (DX)(R9*4), Y9, Y1
	VMASKMOVPS (R8)(R9*4), Y9, Y2
	NORMSUMS
	SUM(Y12, X12, X0)
	SUM(Y13, X13, X0)
	VMULPS Y14, Y12, Y12
	VMULPS Y14, Y13, Y13
	XORQ BX, BX
	CMPQ R9, $0
	JE   writetail

writeloop:
	VMOVUPS (SI)(BX*4), Y0
	VMOVUPS (DX)(BX*4), Y1
	VMOVUPS (R8)(BX*4), Y2
	NORMBACK
	VMOVUPS Y1, (DI)(BX*4)
	ADDQ $8, BX
	CMPQ BX, R9
	JLT  writeloop

writetail:
	CMPQ R9, n+32(FP)
	JE   done
	VMASKMOVPS (SI)(R9*4), Y9, Y0
	VMASKMOVPS (DX)(R9*4), Y9, Y1
	VMASKMOVPS (R8)(R9*4), Y9, Y2
	NORMBACK
	VMASKMOVPS Y1, Y9, (DI)(R9*4)

done:
	VZEROUPPER
	RET

// ADAMW: parameter Y0, gradient Y1, moments Y2 and Y3; Y8..Y15 are the fields of
// adamWFactors in order.
#define ADAMW \
	VMULPS      Y9, Y2, Y2   \
	VFMADD231PS Y1, Y10, Y2  \
	VMULPS      Y1, Y1, Y4   \
	VMULPS      Y11, Y3, Y3  \
	VFMADD231PS Y4, Y12, Y3  \
	VSQRTPS     Y3, Y4       \
	VFMADD213PS Y15, Y14, Y4 \
	VMULPS      Y13, Y2, Y5  \
	VDIVPS      Y4, Y5, Y5   \
	VMULPS      Y8, Y0, Y0   \
	VSUBPS      Y5, Y0, Y0

// func adamWAVX2(param, grad, m, v *float32, n int, f *adamWFactors)
TEXT ·adamWAVX2(SB), NOSPLIT, $0-48
	MOVQ param+0(FP), DI
	MOVQ grad+8(FP), SI
	MOVQ m+16(FP), R8
	MOVQ v+24(FP), R9
	MOVQ n+32(FP), CX
	MOVQ f+40(FP), DX
	VBROADCASTSS (DX), Y8
	VBROADCASTSS 4(DX), Y9
	VBROADCASTSS 8(DX), Y10
	VBROADCASTSS 12(DX), Y11
	VBROADCASTSS 16(DX), Y12
	VBROADCASTSS 20(DX), Y13
	VBROADCASTSS 24(DX), Y14
	VBROADCASTSS 28(DX), Y15
	XORQ BX, BX
	SUBQ $8, CX
	JLT  rest

loop:
	VMOVUPS (DI)(BX*4), Y0
	VMOVUPS (SI)(BX*4), Y1
	VMOVUPS (R8)(BX*4), Y2
	VMOVUPS (R9)(BX*4), Y3
	ADAMW
	VMOVUPS Y0, (DI)(BX*4)
	VMOVUPS Y2, (R8)(BX*4)
	VMOVUPS Y3, (R9)(BX*4)
	ADDQ $8, BX
	CMPQ BX, CX
	JLE  loop

rest:
	ADDQ $8, CX
	SUBQ BX, CX
	JZ   done
	TAILMASK(CX, Y6, AX)
	VMASKMOVPS (DI)(BX*4), Y6, Y0
	VMASKMOVPS (SI)(BX*4), Y6, Y1
	VMASKMOVPS (R8)(BX*4), Y6, Y2
	VMASKMOVPS (R9)(BX*4), Y6, Y3
	ADAMW
	VMASKMOVPS Y0, Y6, (DI)(BX*4)
	VMASKMOVPS Y2, Y6, (R8)(BX*4)
	VMASKMOVPS Y3, Y6, (R9)(BX*4)

done:
	VZEROUPPER
	RET

// func fmaAVX2(dst, a, b *float32, n int)
TEXT ·fmaAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ n+24(FP), CX
	XORQ BX, BX
	SUBQ $8, CX
	JLT  rest

loop:
	VMOVUPS (DI)(BX*4), Y0
	VMOVUPS (SI)(BX*4), Y1
	VFMADD231PS (DX)(BX*4), Y1, Y0
	VMOVUPS Y0, (DI)(BX*4)
	ADDQ $8, BX
	CMPQ BX, CX
	JLE  loop

rest:
	ADDQ $8, CX
	SUBQ BX, CX
	JZ   done
	TAILMASK(CX, Y9, AX)
	VMASKMOVPS (DI)(BX*4), Y9, Y0
	VMASKMOVPS (SI)(BX*4), Y9, Y1
	VMASKMOVPS (DX)(BX*4), Y9, Y2
	VFMADD231PS Y2, Y1, Y0
	VMASKMOVPS Y0, Y9, (DI)(BX*4)

done:
	VZEROUPPER
	RET
