// What the daemon reads again while it serves, on SIGHUP: one list of things, each of which takes over what
// it finds as a whole, or leaves everything as it was and says why.

/// One thing that can be read again.
struct Rereadable {
    /// As the log names it: `password file /etc/larder/users`.
    let name: String
    /// Reads it and takes it over; the answer says in a few words what there is now. When it throws, the old
    /// stays in use. Called on the main thread.
    let readAgain: () throws(StartFailure) -> String
}

extension Server {
    /// Reads again what can be read again; on the main thread. The service manager hears when it begins and
    /// when it is over, whatever came of it.
    func reload() {
        life.reloading()
        if rereadables.isEmpty { log.notice("reload: there is nothing to read again") }
        for thing in rereadables {
            do throws(StartFailure) {
                let found = try thing.readAgain()
                log.notice("reload: \(thing.name): \(found)")
            } catch {
                log.error("reload: \(thing.name): the old stays in use: \(error.message)")
            }
        }
        life.reloaded()
    }
}

extension TLSService {
    var rereadable: Rereadable {
        Rereadable(name: "certificates") { () throws(StartFailure) in
            do throws(TLSFault) {
                try self.refresh()
            } catch {
                throw .system(error.text)
            }
            return "taken over"
        }
    }
}
