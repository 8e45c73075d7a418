#include "bindings.hpp"
#include "shardway/version.hpp"

NB_MODULE(_core, module) {
  module.doc() =
      "The library's calls, one to one. Documents cross as JSON; the package `shardway` puts Python's types "
      "over them.";
  shardway::python::bind_errors(module);
  shardway::python::bind_route(module);
  shardway::python::bind_manifest(module);
  shardway::python::bind_catalog(module);
  shardway::python::bind_client(module);
}
