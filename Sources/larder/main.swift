// The porch: hands the command line over and exits with what comes back. `larder top` watches daemons and
// `larder --health` asks one how it is; neither is a daemon.
import Glibc
import LarderServer
import LarderTop

let words = Array(CommandLine.arguments.dropFirst())
let status =
    switch words.first {
    case "top": Top.run(Array(words.dropFirst()))
    case "--health": Health.run(Array(words.dropFirst()))
    default: Larder.run(words)
    }
exit(status)
