"""exp, log, sine and cosine that compile to vector instructions in float32.

The C library's functions take one number per call, which would take longer than the products
around them. float64, which is for checking, uses them all the same.

The polynomials are the single precision ones of Cephes (S. L. Moshier), exact to about the last
digit.
"""

import math

import numpy
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from kvnet.kernels.parts.compile_cache import njit

EXACT = {"error_model": "numpy"}  # no fastmath: it would merge the split constants
f = numpy.float32
i = numpy.int32
SQRT_HALF, LN_2_HIGH, LN_2_LOW = f(0.5**0.5), f(0.693359375), f(-2.12194440e-4)


@intrinsic
def _float_of_bits(typing_context, bits):
    return types.float32(types.int32), lambda context, builder, signature, args: builder.bitcast(
        args[0], ir.FloatType()
    )


@intrinsic
def _bits_of_float(typing_context, x):
    return types.int32(types.float32), lambda context, builder, signature, args: builder.bitcast(
        args[0], ir.IntType(32)
    )


@njit(**EXACT)
def _exp_float32(x):
    x = min(max(x, f(-87)), f(88))  # beyond, the result is subnormal or infinite
    n = numpy.floor(x * f(1.44269504) + f(0.5))
    r = x - n * LN_2_HIGH
    r = r - n * LN_2_LOW  # x = n ln 2 + r
    p = f(1.9875691500e-4)
    p = p * r + f(1.3981999507e-3)
    p = p * r + f(8.3334519073e-3)
    p = p * r + f(4.1665795894e-2)
    p = p * r + f(1.6666665459e-1)
    p = p * r + f(5.0000001201e-1)
    return (p * r * r + r + f(1)) * _float_of_bits((i(n) + i(127)) << i(23))


@njit(**EXACT)
def _log_float32(x):
    bits = _bits_of_float(x)
    exponent = ((bits >> i(23)) & i(255)) - i(126)
    mantissa = _float_of_bits((bits & i(0x007FFFFF)) | i(0x3F000000))  # 1/2 to 1
    small = mantissa < SQRT_HALF
    e = f(exponent - i(small))
    r = (mantissa + mantissa if small else mantissa) - f(1)
    p = f(7.0376836292e-2)
    p = p * r + f(-1.1514610310e-1)
    p = p * r + f(1.1676998740e-1)
    p = p * r + f(-1.2420140846e-1)
    p = p * r + f(1.4249322787e-1)
    p = p * r + f(-1.6668057665e-1)
    p = p * r + f(2.0000714765e-1)
    p = p * r + f(-2.4999993993e-1)
    p = p * r + f(3.3333331174e-1)
    square = r * r
    y = p * r * square + e * LN_2_LOW - f(0.5) * square
    return r + y + e * LN_2_HIGH


@njit(**EXACT)
def _turn_float32(turn):
    quarters = numpy.floor(turn * f(4) + f(0.5))
    r = (turn * f(4) - quarters) * f(numpy.pi / 2)  # at most an eighth of a turn
    square = r * r
    p = (f(-1.9515295891e-4) * square + f(8.3321608736e-3)) * square + f(-1.6666654611e-1)
    sine = p * square * r + r
    p = (f(2.443315711809948e-5) * square + f(-1.388731625493765e-3)) * square
    p = p + f(4.166664568298827e-2)
    cosine = p * square * square - f(0.5) * square + f(1)
    n = i(quarters)
    odd = (n & i(1)) != 0
    a, b = (cosine, sine) if odd else (sine, cosine)
    sine = -a if (n & i(2)) != 0 else a
    cosine = -b if ((n + i(1)) & i(2)) != 0 else b
    return cosine, sine


def exp(x):
    """Return the exponential of x; in float32 it is between 1e-38 and 1e38."""


def log(x):
    """Return the logarithm of a positive, normal x."""


def cosine_and_sine(turn):
    """Return the cosine and the sine of an angle in turns, 0 to 1."""


@overload(exp)
def _exp(x):
    if x == types.float32:
        return lambda x: _exp_float32(x)
    return lambda x: math.exp(x)


@overload(log)
def _log(x):
    if x == types.float32:
        return lambda x: _log_float32(x)
    return lambda x: math.log(x)


@overload(cosine_and_sine)
def _cosine_and_sine(turn):
    if turn == types.float32:
        return lambda turn: _turn_float32(turn)
    return lambda turn: (math.cos(2 * math.pi * turn), math.sin(2 * math.pi * turn))
