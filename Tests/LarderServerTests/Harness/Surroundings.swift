// What these tests are run with: which daemon, which oracle, how patient to be. Everything comes from the
// environment or from beside the test bundle, so that the tests run the same on any machine.
import Foundation
import Testing

enum Surroundings {
    /// The daemon under test: `LARDER_DAEMON`, or the `larder` built beside this test bundle.
    static let daemon: String = {
        if let path = variable("LARDER_DAEMON") { return path }
        let bundle =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
            ?? CommandLine.arguments[0]
        return URL(fileURLWithPath: bundle).deletingLastPathComponent().appendingPathComponent("larder").path
    }()

    /// The daemon whose answers Larder's are held against. `LARDER_ORACLE` names another than the installed
    /// one.
    static let oracle: String? = variable("LARDER_ORACLE") ?? find("memcached")

    /// True when the oracle is memcached 1.6.45, which the rows of differences mostly side with.
    static let oracleIsModern = variable("LARDER_ORACLE") != nil

    /// In CI a missing client or oracle is a failure; elsewhere the test says so and is skipped.
    static let isCI = variable("CI") != nil

    /// `thread` or `address` when the daemon carries a sanitizer: it is slower and larger then.
    static let sanitizer: String? = variable("LARDER_SANITIZER")

    /// How long to wait before calling something stuck, in seconds.
    static let patience: Double = sanitizer == nil ? 15 : 90

    /// How often to repeat a randomised test: `LARDER_LONG` makes it a soak.
    static let isLong = variable("LARDER_LONG") != nil

    static let runsAsRoot = getuid() == 0

    static func variable(_ name: String) -> String? {
        guard let value = ProcessInfo.processInfo.environment[name], !value.isEmpty else { return nil }
        return value
    }

    static func number(_ name: String, default fallback: Int) -> Int {
        variable(name).flatMap { Int($0) } ?? fallback
    }

    /// The full path of a program in PATH or in the folders PATH often lacks.
    static func find(_ program: String) -> String? {
        let path = (variable("PATH") ?? "") + ":/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        return path.split(separator: ":").map { "\($0)/\(program)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// Ends the test when something it needs is not installed: loudly in CI, as skipped elsewhere.
    static func require(_ present: Bool, _ what: String) throws {
        if present { return }
        if isCI { throw Trouble("\(what) is missing, and CI has to have it") }
        print("SKIPPED: \(what) is not installed")
        try Test.cancel("\(what) is not installed")
    }
}

/// Something went wrong that the test didn't ask about.
struct Trouble: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Looks at a condition every millisecond until it holds or time is up.
func wait(
    upTo seconds: Double = Surroundings.patience, for what: String, until condition: () throws -> Bool
) throws {
    let end = Clock.now + seconds
    while try !condition() {
        if Clock.now > end { throw Trouble("waited \(seconds) s in vain for \(what)") }
        usleep(1000)
    }
}

enum Clock {
    /// Seconds of a clock that only goes forward.
    static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// The unix time in whole seconds.
    static var unixTime: Int { Int(time(nil)) }

    /// Sleeps: only where time itself is what is tested.
    static func pass(_ seconds: Double) { usleep(UInt32(seconds * 1e6)) }
}

/// Random numbers that come out the same for the same seed (splitmix64).
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
    mutating func pick<T>(_ choices: [T]) -> T { choices[below(choices.count)] }
}
