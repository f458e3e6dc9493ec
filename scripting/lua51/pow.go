package lua51

import "math"

// Pow returns x^y. Go's own is off in the fourteenth digit, which is printed,
// for large exponents: it rounds at each multiplication. Here whole powers are
// exact to the last digit.
func Pow(x, y float64) float64 {
	whole, fraction := math.Modf(math.Abs(y))
	if x == 0 || math.IsInf(x, 0) || x < 0 && fraction != 0 || !(whole <= 1<<20) {
		return math.Pow(x, y)
	}
	p := wholePower(x, int(whole))
	if fraction != 0 {
		p = p.times(double{hi: fractionalPower(x, fraction)})
	}
	result := p.hi
	if y < 0 {
		// The quotient and its correction.
		q := 1 / p.hi
		result = q + q*(math.FMA(-q, p.hi, 1)-q*p.lo)
	}
	if size := math.Abs(result); !(size > 1e-290 && size < 1e300 && math.Abs(p.hi) > 1e-290) {
		return math.Pow(x, y) // where the correction is lost
	}
	return result
}

// double is a number of twice the precision: the sum of two.
type double struct{ hi, lo float64 }

func (a double) times(b double) double {
	p := a.hi * b.hi
	e := math.FMA(a.hi, b.hi, -p) + (a.hi*b.lo + a.lo*b.hi)
	hi := p + e
	return double{hi, e - (hi - p)}
}

func wholePower(x float64, n int) double {
	result, square := double{hi: 1}, double{hi: x}
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			result = result.times(square)
		}
		square = square.times(square)
	}
	return result
}

// fractionalPower returns x^y for a positive x and a y between 0 and 1. It takes
// the powers of two out of x, whose logarithm would be too large to be exact.
func fractionalPower(x, y float64) float64 {
	if y == 0.5 {
		return math.Sqrt(x)
	}
	mantissa, exponent := math.Frexp(x)
	e := float64(exponent)
	p := e * y
	whole := math.Round(p)
	rest := (p - whole) + math.FMA(e, y, -p)
	return math.Ldexp(math.Exp(y*math.Log(mantissa)+rest*math.Ln2), int(whole))
}
