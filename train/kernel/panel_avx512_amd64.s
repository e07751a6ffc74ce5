#include "textflag.h"

// Registers of panelAVX512
//   DI  C, row at hand          R12 bytes between rows of C
//   SI  A, first row of tile    R8, R9, R10  1, 3, 5 rows of A
//   BX  A, row 7 of tile        R11 bytes between columns of A
//   DX  B, row at hand          R13 bytes between rows of B
//   CX  rows of B left          AX  rows of C left
//   Z0, Z1  row of B            Z2..Z29 the tile, two registers a row
//   K1, K2  columns stored      K3, K4  columns loaded at first (none: start at zero)
// While a tile is loaded DX is where from and CX the bytes between its rows.

#define LOAD2(lo, hi) \
	VMOVUPS.Z (DX), K3, lo   \
	VMOVUPS.Z 64(DX), K4, hi \
	ADDQ      CX, DX

#define STORE2(lo, hi) \
	VMOVUPS lo, K1, (DI)   \
	VMOVUPS hi, K2, 64(DI) \
	ADDQ    R12, DI

#define FMA2(addr, lo, hi) \
	VFMADD231PS.BCST addr, Z0, lo \
	VFMADD231PS.BCST addr, Z1, hi

#define LOAD1(lo) \
	VMOVUPS.Z (DX), K3, lo \
	ADDQ      CX, DX

#define STORE1(lo) \
	VMOVUPS lo, K1, (DI) \
	ADDQ    R12, DI

#define FMA1(addr, lo) \
	VFMADD231PS.BCST addr, Z0, lo

// Start of a tile: its rows begin as those at init, or as zeros.
#define BEGIN \
	MOVQ init+72(FP), DX \
	MOVQ is+80(FP), CX

// The rows are loaded: the next tile's begin where they ended; point at B, count k.
#define LOADED \
	MOVQ DX, init+72(FP) \
	MOVQ b+40(FP), DX    \
	MOVQ k+56(FP), CX

#define ROWOFB2 \
	VMOVUPS.Z (DX), K1, Z0   \
	VMOVUPS.Z 64(DX), K2, Z1 \
	ADDQ      R13, DX

#define ROWOFB1 \
	VMOVUPS.Z (DX), K1, Z0 \
	ADDQ      R13, DX

// func panelAVX512(c *float32, cs int, a *float32, ars, acs int, b *float32, bs, k, m int, init *float32, is int, mask uint32, acc bool)
TEXT ·panelAVX512(SB), NOSPLIT, $0-93
	MOVQ c+0(FP), DI
	MOVQ cs+8(FP), R12
	MOVQ ars+24(FP), R8
	MOVQ acs+32(FP), R11
	MOVQ bs+48(FP), R13
	MOVQ m+64(FP), AX
	LEAQ (R8)(R8*2), R9
	LEAQ (R8)(R8*4), R10
	MOVL mask+88(FP), CX
	KMOVW CX, K1
	SHRL $16, CX
	KMOVW CX, K2
	KXORW K3, K3, K3
	KXORW K4, K4, K4
	MOVBLZX acc+92(FP), DX
	TESTL DX, DX
	JZ   fresh
	KMOVW K1, K3
	KMOVW K2, K4

fresh:
	MOVQ a+16(FP), SI
	TESTL CX, CX
	JZ   narrow14

wide14:
	CMPQ AX, $14
	JLT  wide8
	LEAQ (SI)(R10*1), BX
	LEAQ (BX)(R8*2), BX
	BEGIN
	LOAD2(Z2, Z3)
	LOAD2(Z4, Z5)
	LOAD2(Z6, Z7)
	LOAD2(Z8, Z9)
	LOAD2(Z10, Z11)
	LOAD2(Z12, Z13)
	LOAD2(Z14, Z15)
	LOAD2(Z16, Z17)
	LOAD2(Z18, Z19)
	LOAD2(Z20, Z21)
	LOAD2(Z22, Z23)
	LOAD2(Z24, Z25)
	LOAD2(Z26, Z27)
	LOAD2(Z28, Z29)
	LOADED

wide14k:
	ROWOFB2
	FMA2((SI), Z2, Z3)
	FMA2((SI)(R8*1), Z4, Z5)
	FMA2((SI)(R8*2), Z6, Z7)
	FMA2((SI)(R9*1), Z8, Z9)
	FMA2((SI)(R8*4), Z10, Z11)
	FMA2((SI)(R10*1), Z12, Z13)
	FMA2((SI)(R9*2), Z14, Z15)
	FMA2((BX), Z16, Z17)
	FMA2((BX)(R8*1), Z18, Z19)
	FMA2((BX)(R8*2), Z20, Z21)
	FMA2((BX)(R9*1), Z22, Z23)
	FMA2((BX)(R8*4), Z24, Z25)
	FMA2((BX)(R10*1), Z26, Z27)
	FMA2((BX)(R9*2), Z28, Z29)
	ADDQ R11, SI
	ADDQ R11, BX
	DECQ CX
	JNZ  wide14k
	STORE2(Z2, Z3)
	STORE2(Z4, Z5)
	STORE2(Z6, Z7)
	STORE2(Z8, Z9)
	STORE2(Z10, Z11)
	STORE2(Z12, Z13)
	STORE2(Z14, Z15)
	STORE2(Z16, Z17)
	STORE2(Z18, Z19)
	STORE2(Z20, Z21)
	STORE2(Z22, Z23)
	STORE2(Z24, Z25)
	STORE2(Z26, Z27)
	STORE2(Z28, Z29)
	SUBQ $14, AX
	JZ   done
	MOVQ a+16(FP), SI
	LEAQ (SI)(R9*8), SI
	SUBQ R10, SI
	SUBQ R10, SI
	MOVQ SI, a+16(FP)
	JMP  wide14

wide8:
	CMPQ AX, $8
	JLT  wide4
	LEAQ (SI)(R10*1), BX
	LEAQ (BX)(R8*2), BX
	BEGIN
	LOAD2(Z2, Z3)
	LOAD2(Z4, Z5)
	LOAD2(Z6, Z7)
	LOAD2(Z8, Z9)
	LOAD2(Z10, Z11)
	LOAD2(Z12, Z13)
	LOAD2(Z14, Z15)
	LOAD2(Z16, Z17)
	LOADED

wide8k:
	ROWOFB2
	FMA2((SI), Z2, Z3)
	FMA2((SI)(R8*1), Z4, Z5)
	FMA2((SI)(R8*2), Z6, Z7)
	FMA2((SI)(R9*1), Z8, Z9)
	FMA2((SI)(R8*4), Z10, Z11)
	FMA2((SI)(R10*1), Z12, Z13)
	FMA2((SI)(R9*2), Z14, Z15)
	FMA2((BX), Z16, Z17)
	ADDQ R11, SI
	ADDQ R11, BX
	DECQ CX
	JNZ  wide8k
	STORE2(Z2, Z3)
	STORE2(Z4, Z5)
	STORE2(Z6, Z7)
	STORE2(Z8, Z9)
	STORE2(Z10, Z11)
	STORE2(Z12, Z13)
	STORE2(Z14, Z15)
	STORE2(Z16, Z17)
	SUBQ $8, AX
	JZ   done
	MOVQ a+16(FP), SI
	LEAQ (SI)(R8*8), SI
	MOVQ SI, a+16(FP)

wide4:
	CMPQ AX, $4
	JLT  wide2
	BEGIN
	LOAD2(Z2, Z3)
	LOAD2(Z4, Z5)
	LOAD2(Z6, Z7)
	LOAD2(Z8, Z9)
	LOADED

wide4k:
	ROWOFB2
	FMA2((SI), Z2, Z3)
	FMA2((SI)(R8*1), Z4, Z5)
	FMA2((SI)(R8*2), Z6, Z7)
	FMA2((SI)(R9*1), Z8, Z9)
	ADDQ R11, SI
	DECQ CX
	JNZ  wide4k
	STORE2(Z2, Z3)
	STORE2(Z4, Z5)
	STORE2(Z6, Z7)
	STORE2(Z8, Z9)
	SUBQ $4, AX
	JZ   done
	MOVQ a+16(FP), SI
	LEAQ (SI)(R8*4), SI
	MOVQ SI, a+16(FP)

wide2:
	CMPQ AX, $2
	JLT  wide1
	BEGIN
	LOAD2(Z2, Z3)
	LOAD2(Z4, Z5)
	LOADED

wide2k:
	ROWOFB2
	FMA2((SI), Z2, Z3)
	FMA2((SI)(R8*1), Z4, Z5)
	ADDQ R11, SI
	DECQ CX
	JNZ  wide2k
	STORE2(Z2, Z3)
	STORE2(Z4, Z5)
	SUBQ $2, AX
	JZ   done
	MOVQ a+16(FP), SI
	LEAQ (SI)(R8*2), SI

wide1:
	BEGIN
	LOAD2(Z2, Z3)
	LOADED

wide1k:
	ROWOFB2
	FMA2((SI), Z2, Z3)
	ADDQ R11, SI
	DECQ CX
	JNZ  wide1k
	STORE2(Z2, Z3)
	JMP  done

narrow14:
	CMPQ AX, $14
	JLT  narrow8
	LEAQ (SI)(R10*1), BX
	LEAQ (BX)(R8*2), BX
	BEGIN
	LOAD1(Z2)
	LOAD1(Z3)
	LOAD1(Z4)
	LOAD1(Z5)
	LOAD1(Z6)
	LOAD1(Z7)
	LOAD1(Z8)
	LOAD1(Z9)
	LOAD1(Z10)
	LOAD1(Z11)
	LOAD1(Z12)
	LOAD1(Z13)
	LOAD1(Z14)
	LOAD1(Z15)
	LOADED

narrow14k:
	ROWOFB1
	FMA1((SI), Z2)
	FMA1((SI)(R8*1), Z3)
	FMA1((SI)(R8*2), Z4)
	FMA1((SI)(R9*1), Z5)
	FMA1((SI)(R8*4), Z6)
	FMA1((SI)(R10*1), Z7)
	FMA1((SI)(R9*2), Z8)
	FMA1((BX), Z9)
	FMA1((BX)(R8*1), Z10)
	FMA1((BX)(R8*2), Z11)
	FMA1((BX)(R9*1), Z12)
	FMA1((BX)(R8*4), Z13)
	FMA1((BX)(R10*1), Z14)
	FMA1((BX)(R9*2), Z15)
	ADDQ R11, SI
	ADDQ R11, BX
	DECQ CX
	JNZ  narrow14k
	STORE1(Z2)
	STORE1(Z3)
	STORE1(Z4)
	STORE1(Z5)
	STORE1(Z6)
	STORE1(Z7)
	STORE1(Z8)
	STORE1(Z9)
	STORE1(Z10)
	STORE1(Z11)
	STORE1(Z12)
	STORE1(Z13)
	STORE1(Z14)
	STORE1(Z15)
	SUBQ $14, AX
	JZ   done
	MOVQ a+16(FP), SI
	LEAQ (SI)(R9*8), SI
	SUBQ R10, SI
	SUBQ R10, SI
	MOVQ SI, a+16(FP)
	JMP  narrow14

narrow8:
	CMPQ AX, $8
	JLT  narrow4
	LEAQ (SI)(R10*1), BX
	LEAQ (BX)(R8*2), BX
	BEGIN
	LOAD1(Z2)
	LOAD1(Z3)
	LOAD1(Z4)
	LOAD1(Z5)
	LOAD1(Z6)
	LOAD1(Z7)
	LOAD1(Z8)
	LOAD1(Z9)
	LOADED

narrow8k:
	ROWOFB1
	FMA1((SI), Z2)
	FMA1((SI)(R8*1), Z3)
	FMA1((SI)(R8*2), Z4)
	FMA1((SI)(R9*1), Z5)
	FMA1((SI)(R8*4), Z6)
	FMA1((SI)(R10*1), Z7)
	FMA1((SI)(R9*2), Z8)
	FMA1((BX), Z9)
	ADDQ R11, SI
	ADDQ R11, BX
	DECQ CX
	JNZ  narrow8k
	STORE1(Z2)
	STORE1(Z3)
	STORE1(Z4)
	STORE1(Z5)
	STORE1(Z6)
	STORE1(Z7)
	STORE1(Z8)
	STORE1(Z9)
	SUBQ $8, AX
	JZ   done
	MOVQ a+16(FP), SI
	LEAQ (SI)(R8*8), SI
	MOVQ SI, a+16(FP)

narrow4:
	CMPQ AX, $4
	JLT  narrow1
	BEGIN
	LOAD1(Z2)
	LOAD1(Z3)
	LOAD1(Z4)
	LOAD1(Z5)
	LOADED

narrow4k:
	ROWOFB1
	FMA1((SI), Z2)
	FMA1((SI)(R8*1), Z3)
	FMA1((SI)(R8*2), Z4)
	FMA1((SI)(R9*1), Z5)
	ADDQ R11, SI
	DECQ CX
	JNZ  narrow4k
	STORE1(Z2)
	STORE1(Z3)
	STORE1(Z4)
	STORE1(Z5)
	SUBQ $4, AX
	JZ   done
	MOVQ a+16(FP), SI
	LEAQ (SI)(R8*4), SI
	MOVQ SI, a+16(FP)

narrow1:
	BEGIN
	LOAD1(Z2)
	LOADED

narrow1k:
	ROWOFB1
	FMA1((SI), Z2)
	ADDQ R11, SI
	DECQ CX
	JNZ  narrow1k
	STORE1(Z2)
	DECQ AX
	JZ   done
	MOVQ a+16(FP), SI
	ADDQ R8, SI
	MOVQ SI, a+16(FP)
	JMP  narrow1

done:
	VZEROUPPER
	RET
