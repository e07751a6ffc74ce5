// Idioms of the activations in AVX-512: sixteen lanes, the constants in registers, the
// tail under K1.

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
