// `larder --health`: asks a daemon once whether it serves, for health checks of containers and supervisors.
import Glibc

public enum Health {
    /// Seconds a daemon may take: less than what supervisors commonly allow.
    private static let patience = 3.0

    /// Runs as `arguments` (without `larder --health`) say; returns the exit status: 0 when the daemon
    /// answers, 1 when it doesn't, 64 for a command line that makes no sense.
    public static func run(_ arguments: [String]) -> Int32 {
        guard let target = target(arguments) else {
            return say(.error, "usage: larder --health [HOST:PORT | -p PORT | -s SOCKET]", 64)
        }
        let link = Link(target: target, credentials: nil)
        var outcome = link.ask([.general], now: monotonicSeconds(), patience: patience)
        while true {
            switch outcome {
            case .answered(let sample):
                return say(.output, "\(target.name) serves: \(sample.general["version"] ?? "?")", 0)
            // A door that asks for a password is a door that works.
            case .failed where link.hasAnswered:
                return say(.output, "\(target.name) answers, and wants a password", 0)
            case .failed(let reason):
                return say(.error, "\(target.name): \(reason)", 1)
            case .nothing: break
            }
            var place = pollfd(fd: link.descriptor, events: link.interest, revents: 0)
            let count = poll(&place, 1, 100)
            let now = monotonicSeconds()
            outcome = count > 0 ? link.ready(place.revents, now: now) : link.checkDeadline(now: now)
        }
    }

    /// The daemon that is meant: by its address, or by the option it was started with.
    static func target(_ arguments: [String]) -> Target? {
        switch arguments.first {
        case nil: return .usual
        case "-p", "--port": return arguments.count == 2 ? Target.parse("127.0.0.1:" + arguments[1]) : nil
        case "-s", "--unix-socket":
            guard arguments.count == 2, !arguments[1].isEmpty else { return nil }
            return Target(place: .unix(path: arguments[1]))
        case .some(let word): return arguments.count == 1 ? Target.parse(word) : nil
        }
    }

    private enum Stream { case output, error }

    private static func say(_ stream: Stream, _ text: String, _ status: Int32) -> Int32 {
        let line = Array((text + "\n").utf8)
        let descriptor = stream == .output ? STDOUT_FILENO : STDERR_FILENO
        _ = line.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        return status
    }
}

func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
