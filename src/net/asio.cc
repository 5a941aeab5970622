// Boost.Asio, compiled once for the whole program (BOOST_ASIO_SEPARATE_COMPILATION).
#include <boost/asio/impl/src.hpp>
#include <boost/version.hpp>

static_assert(BOOST_VERSION >= 108100, "Boost 1.81 or later: co_await of deferred operations");
