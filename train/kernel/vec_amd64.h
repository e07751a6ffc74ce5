// Constants of vec_const_amd64.s, eight lanes each, and idioms of the AVX2 rows.

#define LOG2E ·vec+0(SB)
#define LN2HI ·vec+32(SB)
#define LN2LO ·vec+64(SB)
#define EXP7 ·vec+96(SB)
#define EXP6 ·vec+128(SB)
#define EXP5 ·vec+160(SB)
#define EXP4 ·vec+192(SB)
#define EXP3 ·vec+224(SB)
#define EXP2 ·vec+256(SB)
#define ONE ·vec+288(SB)
#define EXPLOW ·vec+320(SB)
#define ABS ·vec+352(SB)
#define NEGHALF ·vec+384(SB)
#define ERFP ·vec+416(SB)
#define ERF1 ·vec+448(SB)
#define ERF2 ·vec+480(SB)
#define ERF3 ·vec+512(SB)
#define ERF4 ·vec+544(SB)
#define ERF5 ·vec+576(SB)
#define BIG ·vec+608(SB)
#define NEGBIG ·vec+640(SB)
#define PDF ·vec+672(SB)
#define NEGTWO ·vec+704(SB)
#define TANHMID ·vec+736(SB)
#define TANH9 ·vec+768(SB)
#define TANH7 ·vec+800(SB)
#define TANH5 ·vec+832(SB)
#define TANH3 ·vec+864(SB)
#define TANH1 ·vec+896(SB)
#define NEGINF ·vec+928(SB)

// TAILMASK sets y to ones in its first n lanes, n from 1 to 7; n is overwritten.
#define TAILMASK(n, y, tmp) \
	NEGQ    n                  \
	LEAQ    ·tail+32(SB), tmp  \
	VMOVUPS (tmp)(n*4), y

// SUM leaves the sum of the lanes of y (whose low half is x) in all of them.
#define SUM(y, x, tx) \
	VEXTRACTF128 $1, y, tx \
	VADDPS       tx, x, x  \
	VHADDPS      x, x, x   \
	VHADDPS      x, x, x   \
	VBROADCASTSS x, y

// EXP sets p to e^x for x <= 0, to zero below EXPLOW and to NaN for NaN; x, t and
// m are overwritten. Relative error 2e-7.
#define EXP(x, t, m, p) \
	VCMPPS       $1, EXPLOW, x, m \
	VMULPS       LOG2E, x, t      \
	VROUNDPS     $8, t, t         \
	VFNMADD231PS LN2HI, t, x      \
	VFNMADD231PS LN2LO, t, x      \
	VMOVUPS      EXP7, p          \
	VFMADD213PS  EXP6, x, p       \
	VFMADD213PS  EXP5, x, p       \
	VFMADD213PS  EXP4, x, p       \
	VFMADD213PS  EXP3, x, p       \
	VFMADD213PS  EXP2, x, p       \
	VFMADD213PS  ONE, x, p        \
	VFMADD213PS  ONE, x, p        \
	VCVTPS2DQ    t, t             \
	VPSLLD       $23, t, t        \
	VPADDD       t, p, p          \
	VANDNPS      p, m, p
