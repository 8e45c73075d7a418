// `result<T>`: a value or an `error`. The one alias over Boost.Outcome; nothing throws across the public boundary.
#pragma once

#include <boost/outcome/std_result.hpp>
#include <boost/outcome/try.hpp>

#include "shardway/base/error.hpp"

namespace shardway {
inline namespace v0 {

/// A value of T or an error. Test it (`if (r)`), then `r.value()` or `r.error()`; asking for the wrong one ends the program.
/// Pass errors on with `BOOST_OUTCOME_TRY(auto value, expression)` or `BOOST_OUTCOME_TRYV(expression)`.
template <class T = void>
using result = BOOST_OUTCOME_V2_NAMESPACE::std_result<T, error, BOOST_OUTCOME_V2_NAMESPACE::policy::terminate>;

using BOOST_OUTCOME_V2_NAMESPACE::success;

}  // namespace v0
}  // namespace shardway
