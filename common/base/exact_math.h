// Elementary functions that give the same bits on every machine.
//
// libm's exp and log differ in their last bits between builds and with FMA, and a
// synthesis must not. These use only +, -, ×, ÷ and exact scaling, in one fixed
// order; everything is compiled with -ffp-contract=off. Pure; thread-safe.
#ifndef SQUISH_COMMON_BASE_EXACT_MATH_H_
#define SQUISH_COMMON_BASE_EXACT_MATH_H_

namespace squish {

// e^x. Relative error below 1e-15 for |x| <= 700; 0 below -745, infinity above
// 709.8; NaN stays NaN.
double ExactExp(double x);

// ln x for x > 0. Absolute error below 1e-15 · max(1, |ln x|). -infinity for 0,
// NaN below.
double ExactLog(double x);

}  // namespace squish

#endif  // SQUISH_COMMON_BASE_EXACT_MATH_H_
