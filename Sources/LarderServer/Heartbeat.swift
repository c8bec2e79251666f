// Which threads still run their loop. Once a second the main thread stamps the time and asks every worker for
// the same by mail; a worker's stamp is as old as its last empty mailbox. Whoever wants to know (`/healthz`,
// the service manager's watchdog) compares the stamps with the clock; a request costs nothing of it.
import Synchronization

/// A thread's last sign of life.
struct Pulse: Sendable {
    let name: String
    /// Microseconds of the monotonic clock; 0: its loop hasn't begun yet.
    let stamp: UInt64
}

enum Heartbeat {
    static let intervalMilliseconds = 1000
    /// Longer silence is a hang. Microseconds: several beats, and more than the longest turn of a worker.
    static let patience: UInt64 = 5_000_000

    /// The names of those that were silent for longer than `patience`.
    static func silent(_ pulses: [Pulse], now: UInt64, patience: UInt64 = Heartbeat.patience) -> [String] {
        // A stamp may be newer than `now`: it was taken by another thread in between.
        pulses.filter { now > $0.stamp && now - $0.stamp > patience }.map(\.name)
    }
}

/// How a service manager that watches the daemon is kept content: told by each beat in which every thread has
/// answered lately. When one hangs it hears nothing, and does what the unit says.
struct Watchdog: Sendable {
    let beatMilliseconds: Int
    /// Microseconds of silence of a thread that are too many: what the service manager itself would wait for.
    let patience: UInt64

    /// nil: nobody watches.
    init?(_ interval: Double? = ServiceNotifier.watchdogInterval()) {
        guard let interval else { return nil }
        // Compared before they are whole numbers, which an interval may be too long for.
        beatMilliseconds = Int(min(Double(Heartbeat.intervalMilliseconds), max(20, interval * 500)))
        patience = UInt64(min(Double(Heartbeat.patience), interval * 2_000_000))
    }
}

extension Server {
    /// The main thread's beat.
    func beat() {
        let now = monotonicMicroseconds()
        mainPulse.store(now, ordering: .relaxed)
        for worker in workers { worker.pointee.mailbox.post(.answer) }
        guard let watchdog else { return }
        let silent = Heartbeat.silent(pulses, now: now, patience: watchdog.patience)
        if silent.isEmpty { life.isAlive() }
        if silent != reportedSilent {
            if !silent.isEmpty { log.error("no answer from \(silent.joined(separator: ", "))") }
            reportedSilent = silent
        }
    }

    /// From any thread, from the moment everything runs until it is taken down.
    var pulses: [Pulse] {
        let main = Pulse(name: "main", stamp: mainPulse.load(ordering: .relaxed))
        return [main] + mailboxes.enumerated().map { index, mailbox in
            Pulse(name: "worker \(index)", stamp: mailbox.pulse.load(ordering: .relaxed))
        }
    }

    /// Names of the threads that don't answer; meaningful only where `asksForPulse`.
    var silentThreads: [String] { Heartbeat.silent(pulses, now: monotonicMicroseconds()) }
}
