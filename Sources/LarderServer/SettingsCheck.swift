// What no option can check alone: settings that contradict each other, and those that follow from others.
import Glibc

extension Settings {
    /// Called once, after the last option.
    mutating func check() throws(StartFailure) {
        guard itemSizeMax <= memoryMegabytes << 19 else {
            throw .usage("-I \(itemSizeMax): must be at most half of -m, which is \(memoryMegabytes) MiB")
        }
        guard tuning.hotPercent + tuning.warmPercent <= 80 else {
            throw .usage("-o hot_lru_pct and warm_lru_pct: must be at most 80 together")
        }
        guard !tuning.temporaryLRU || tuning.lruMaintainer else {
            throw .usage("-o temporary_ttl: needs lru_maintainer")
        }
        if let minimumSpace, minimumSpace > itemSizeMax {
            throw .usage("-n \(minimumSpace): must be at most -I, which is \(itemSizeMax)")
        }
        // Who asks for UDP on a port means that port for TCP too.
        if udpPort != 0, !portIsGiven { port = udpPort }
        try checkTLS()
        if authFile != nil {
            guard udpPort == 0 else { throw .usage("-Y: passwords are not asked for over UDP; leave out -U") }
            guard bindingProtocol != .binary else {
                throw .usage("-Y: needs the text protocol, not -B binary")
            }
        }
        if daemonize, !dumpsCore { makePathsAbsolute() }
    }

    /// In the background the working directory is another one.
    private mutating func makePathsAbsolute() {
        guard let here = getcwd(nil, 0) else { return }
        defer { free(here) }
        let directory = String(cString: here)
        func absolute(_ path: String?) -> String? {
            path.map { $0.hasPrefix("/") ? $0 : directory + "/" + $0 }
        }
        unixPath = absolute(unixPath)
        pidFile = absolute(pidFile)
        portFile = absolute(portFile)
        authFile = absolute(authFile)
        tls.chainFile = absolute(tls.chainFile)
        tls.keyFile = absolute(tls.keyFile)
        tls.authorityFile = absolute(tls.authorityFile)
    }
}
