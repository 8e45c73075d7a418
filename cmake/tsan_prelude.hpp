// Before everything else in the preset tsan. gcc 12's ThreadSanitizer does not know pthread_mutex_clocklock,
// with which std::timed_mutex waits by the steady clock, and then sees no lock at all. Without it the wait is
// pthread_mutex_timedlock, which it knows.
#pragma once

#include <bits/c++config.h>

#undef _GLIBCXX_USE_PTHREAD_MUTEX_CLOCKLOCK
