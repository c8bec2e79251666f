// Who counts as hung: the decision alone, and a worker that really stands still.
import Foundation
import Testing

@testable import LarderServer

@Suite struct HeartbeatTests {
    private func silent(_ stamps: [UInt64], now: UInt64) -> [String] {
        let pulses = stamps.enumerated().map { Pulse(name: "t\($0.offset)", stamp: $0.element) }
        return Heartbeat.silent(pulses, now: now, patience: 100)
    }

    @Test func whoAnsweredInTimeIsAlive() {
        #expect(silent([1000, 901, 900], now: 1000).isEmpty)
    }

    @Test func whoDidNotIsNamed() {
        #expect(silent([1000, 899, 1000, 0], now: 1000) == ["t1", "t3"])
    }

    /// Stamped by its thread after the clock was read.
    @Test func aStampFromTheFutureIsASignOfLife() {
        #expect(silent([1200], now: 1000).isEmpty)
    }

    /// systemd's own word for "never" is the largest number there is.
    @Test func anIntervalWithoutEnd() throws {
        let never = ServiceNotifier.watchdogInterval(environment: ["WATCHDOG_USEC": "\(UInt64.max)"])
        let watchdog = try #require(Watchdog(never))
        #expect(watchdog.patience == Heartbeat.patience)
        #expect(watchdog.beatMilliseconds == Heartbeat.intervalMilliseconds)
    }

    /// Stops one thread of a process as a debugger does, until it is ended itself.
    private static let stopper = """
        import ctypes, os, sys, time
        ptrace = ctypes.CDLL(None, use_errno=True).ptrace
        ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        thread = int(sys.argv[1])
        if ptrace(0x4206, thread, None, None) or ptrace(0x4207, thread, None, None):  # SEIZE, INTERRUPT
            sys.exit(77)
        os.waitpid(thread, 0x40000000)  # __WALL
        print("stopped", flush=True)
        time.sleep(60)
        """

    @Test func aHungWorkerTurnsTheHealthCheck() throws {
        let python = Surroundings.find("python3")
        try Surroundings.require(python != nil, "python3")
        try withDaemon("--http=-1", "-t", "2") { daemon in
            #expect(try daemon.http("/healthz").status == 200)
            let tasks = "/proc/\(daemon.process.pid)/task"
            var thread: String?
            // It may answer pages before its last thread has taken its name.
            try wait(for: "the worker's thread") {
                thread = try FileManager.default.contentsOfDirectory(atPath: tasks).first { task in
                    let name = try? String(contentsOfFile: "\(tasks)/\(task)/comm", encoding: .utf8)
                    return name == "larder-w1\n"
                }
                return thread != nil
            }
            let stopper = try ChildProcess(
                python!, ["-c", Self.stopper, try #require(thread)], folder: daemon.folder, name: "stopper")
            try wait(for: "the thread to stop") { stopper.output == "stopped\n" || stopper.hasEnded != nil }
            if stopper.hasEnded == .exited(77) {
                print("SKIPPED: this system allows no process to stop another's thread")
                return
            }
            try wait(for: "the health check to notice") { try daemon.http("/healthz").status == 503 }
            #expect(try daemon.http("/healthz").body == "worker 1 does not answer\n")
            stopper.signal(SIGKILL)
            _ = try stopper.waitForEnd()
            try wait(for: "the worker to be well again") { try daemon.http("/healthz").status == 200 }
        }
    }
}
