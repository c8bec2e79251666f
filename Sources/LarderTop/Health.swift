// `larder --health`: asks a daemon once whether it serves, for health checks of containers and supervisors.
import Glibc

public enum Health {
    /// Seconds a daemon may take: less than what supervisors commonly allow.
    private static let patience = 3.0

    /// Runs as `arguments` (without `larder --health`) say; returns the exit status: 0 when the daemon
    /// answers, 1 when it doesn't, 64 for a command line that makes no sense.
    public static func run(_ arguments: [String]) -> Int32 {
        guard arguments.count <= 1 else { return say(.error, "larder --health: one address at most", 64) }
        var target = Target.usual
        if let word = arguments.first {
            guard let parsed = Target.parse(word) else {
                return say(.error, "larder --health: not HOST:PORT or the path of a unix socket", 64)
            }
            target = parsed
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
