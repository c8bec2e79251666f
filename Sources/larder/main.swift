// The daemon's porch: hands the command line over and exits with what comes back.
import Glibc
import LarderServer

exit(Larder.run(Array(CommandLine.arguments.dropFirst())))
