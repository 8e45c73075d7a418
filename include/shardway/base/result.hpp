// `result<T>`: a value or an `error`. It is an alias of Boost.Outcome's type. Nothing throws across the
// public boundary.
#pragma once

#include <boost/outcome/std_result.hpp>
#include <boost/outcome/try.hpp>
#include <boost/version.hpp>

#include "shardway/base/error.hpp"

// Before 1.76, BOOST_OUTCOME_TRY declared the variable itself ("auto&& v"); since then the caller writes the
// declaration. The newer form on every version: `BOOST_OUTCOME_TRYA(v, expression)` is the old one.
#if BOOST_VERSION < 107600
#undef BOOST_OUTCOME_TRY
#define BOOST_OUTCOME_TRY(declaration, ...) \
  BOOST_OUTCOME_TRY2_SUCCESS_LIKELY(BOOST_OUTCOME_TRY_UNIQUE_NAME, declaration, __VA_ARGS__)
#endif

namespace shardway {
inline namespace v0 {

/// A value of T or an error.
///
/// Test it (`if (r)`), then take `r.value()` or `r.error()`. Asking for the wrong one ends the program. Pass
/// errors on with `BOOST_OUTCOME_TRY(auto value, expression)` or `BOOST_OUTCOME_TRYV(expression)`.
template <class T = void>
using result =
    BOOST_OUTCOME_V2_NAMESPACE::std_result<T, error, BOOST_OUTCOME_V2_NAMESPACE::policy::terminate>;

using BOOST_OUTCOME_V2_NAMESPACE::success;

}  // namespace v0
}  // namespace shardway
