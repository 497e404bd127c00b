/// Runs calls that block (fsync, C libraries, DNS) on threads of their own: the cooperative pool has one thread a core,
/// and two blocked threads would stop the whole server on two cores.
package protocol BlockingExecutor: Sendable {
    /// A lane that runs its jobs one after the other, in the order they came in. Each owner of a file or a C handle
    /// takes one.
    func lane(_ name: String) -> any BlockingLane
}

package protocol BlockingLane: Sendable {
    /// Runs `job` after all jobs given before it. Returns at once; never runs the job on the caller's stack in
    /// production (the simulation may).
    func enqueue(_ job: @escaping @Sendable () -> Void)

    /// Runs what is queued, then ends the lane's thread. Jobs given later are not run.
    func close()
}

extension BlockingLane {
    /// Runs `body` on the lane and hands its result back.
    package func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            enqueue { continuation.resume(with: Result(catching: body)) }
        }
    }
}
