// The porch: hands the command line over and exits with what comes back. `larder top` watches daemons and
// is none.
import Glibc
import LarderServer
import LarderTop

exit(
    CommandLine.arguments.dropFirst().first == "top"
        ? Top.run(Array(CommandLine.arguments.dropFirst(2)))
        : Larder.run(Array(CommandLine.arguments.dropFirst())))
