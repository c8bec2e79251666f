// Starting and joining threads: each runs one function on a value of its own.
import CSystem
import Glibc

/// A running thread. `join` exactly once.
struct Thread: @unchecked Sendable { // a pthread_t may be joined from any thread
    private let id: pthread_t

    /// Starts a thread called `name` (at most 15 bytes are kept); nil when the system refuses.
    init?(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let box = Unmanaged.passRetained(Body(name, body))
        var id = pthread_t()
        let failure = pthread_create(&id, nil, { argument in
            let body = Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue()
            csys_name_thread(body.name)
            body.run()
            return nil
        }, box.toOpaque())
        guard failure == 0 else {
            box.release()
            return nil
        }
        self.id = id
    }

    func join() { pthread_join(id, nil) }

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        let name: String
        init(_ name: String, _ run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }
}
