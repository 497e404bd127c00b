import Glibc
import Synchronization
package import WeirWorld

/// One bound connection to a directory. Safe to use from many tasks: their requests travel together, and the answers
/// come in the server's order. Writes to one entry must not be out together (`EntryTurns`): slapd carries the requests
/// of one connection out side by side.
package final class DirectoryConnection: Sendable {
    private let inbox: ConnectionInbox
    private let lane: any BlockingLane
    private let limit: Duration
    private let tickets = Mutex<UInt64>(0)
    private let over = Mutex(false)

    private init(_ inbox: ConnectionInbox, _ lane: any BlockingLane, limit: Duration) {
        self.inbox = inbox
        self.lane = lane
        self.limit = limit
    }

    deinit {
        _ = inbox.put(.close)
        lane.close()
    }

    /// Connects, does TLS and binds.
    /// - Throws: `unreachable`, `refused` (the bind), `misuse`. Nobody is waited for longer than three times
    ///   `connectLimit`, and the resolver's own limit.
    package static func open(_ settings: DirectorySettings, _ world: World) async throws(DirectoryFailure)
        -> DirectoryConnection
    {
        try settings.check()
        let inbox = try ConnectionInbox()
        let lane = world.blocking.lane("ldap \(settings.address.host)")
        let time = world.time
        do throws(DirectoryFailure) {
            let descriptor = try await dial(settings, lane, time)
            let started = await within(settings.connectLimit, descriptor, lane, time) {
                () -> Result<Void, DirectoryFailure> in
                do throws(DirectoryFailure) {
                    let handle = try LDAPHandle(descriptor: descriptor, settings)
                    handle.stopBlocking()
                    let thread = ConnectionThread(handle, inbox, time, answerLimit: settings.answerLimit)
                    // Behind this job on the same lane, which is from then on the connection's thread.
                    lane.enqueue { thread.run() }
                    return .success(())
                } catch {
                    return .failure(error)
                }
            }
            try started.get()
        } catch {
            lane.close()
            throw error
        }
        let connection = DirectoryConnection(inbox, lane, limit: settings.requestLimit)
        do throws(DirectoryFailure) {
            try await connection.bind(settings)
        } catch {
            connection.close()
            throw error
        }
        return connection
    }

    private static func dial(_ settings: DirectorySettings, _ lane: any BlockingLane, _ time: any TimeSource)
        async throws(DirectoryFailure) -> Int32
    {
        if let connect = settings.connect {
            do {
                return try await connect()
            } catch {
                throw .unreachable(code: "connect_failed", text: "\(settings.address): \(error)")
            }
        }
        return try await runs(lane) { () -> Result<Int32, DirectoryFailure> in
            do throws(DirectoryFailure) {
                return .success(try SocketDial.connect(settings.address, within: settings.connectLimit, time))
            } catch {
                return .failure(error)
            }
        }.get()
    }

    /// Runs `body` on the lane, and shuts the socket down when it takes longer: libldap's handshakes wait for ever for
    /// a server that says nothing.
    private static func within<Value: Sendable>(
        _ limit: Duration, _ descriptor: Int32, _ lane: any BlockingLane, _ time: any TimeSource,
        _ body: @escaping @Sendable () -> Value
    ) async -> Value {
        // A descriptor of our own for the same socket: libldap may close its one at any moment, and its number may then
        // be another's.
        let watched = dup(descriptor)
        defer { Glibc.close(watched) }
        return await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                do {
                    try await time.sleep(for: limit)
                    shutdown(watched, Int32(SHUT_RDWR))
                } catch {}
            }
            let value = await runs(lane, body)
            tasks.cancelAll()
            return value
        }
    }

    private static func runs<Value: Sendable>(
        _ lane: any BlockingLane, _ body: @escaping @Sendable () -> Value
    ) async -> Value {
        await withCheckedContinuation { continuation in
            lane.enqueue { continuation.resume(returning: body()) }
        }
    }

    private func bind(_ settings: DirectorySettings) async throws(DirectoryFailure) {
        let request = DirectoryRequest.bind(
            name: settings.bindName ?? "", password: Array((settings.password ?? "").utf8))
        let answer = try await send(request, limit: settings.connectLimit)
        guard answer.code != .success else { return }
        if answer.code.isPassing {
            throw .unreachable(code: "ldap_\(answer.code.number)", text: "\(settings.address): \(answer.sentence)")
        }
        throw .refused(
            code: answer.code,
            text: "\(settings.address) refuses the bind of \(settings.bindName ?? "nobody"): "
                + answer.diagnostic)
    }

    /// Sends a request and waits for its answer, or for what stands in its place.
    /// - Parameter limit: nil takes the settings' `requestLimit`.
    package func send(
        _ request: DirectoryRequest, controls: [DirectoryControl] = [], limit: Duration? = nil
    ) async throws(DirectoryFailure) -> DirectoryAnswer {
        if Task.isCancelled { throw .cancelled }
        let ticket = tickets.withLock { last in
            last += 1
            return last
        }
        let inbox = inbox
        let result: Result<DirectoryAnswer, DirectoryFailure> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let errand = ConnectionInbox.Errand(
                    ticket: ticket, request: request, controls: controls, limit: limit ?? self.limit,
                    reply: { continuation.resume(returning: $0) })
                if !inbox.put(.send(errand)) {
                    errand.reply(
                        .failure(.unreachable(code: "connection_ended", text: "the connection had ended")))
                }
            }
        } onCancel: {
            _ = inbox.put(.cancel(ticket))
        }
        if case .failure(.lost) = result { over.withLock { $0 = true } }
        if case .failure(.unreachable) = result { over.withLock { $0 = true } }
        return try result.get()
    }

    /// Whether a request failed in a way that ends a connection.
    package var isOver: Bool { over.withLock { $0 } }

    /// Requests that are out end with `cancelled`.
    package func close() {
        over.withLock { $0 = true }
        _ = inbox.put(.close)
        lane.close()
    }
}
