import NIOCore
import Synchronization
import WeirFlow
import WeirGates
import WeirWorld

/// Keeps the one connection of an endpoint: connects when there is none, says once why the last one ended.
final class StreamSender: Sendable {
    private let target: StreamTarget
    private let world: World
    private let eventLoops: any EventLoopGroup
    private let connection = Mutex<StreamConnection?>(nil)

    init(target: StreamTarget, world: World, eventLoops: any EventLoopGroup) {
        self.target = target
        self.world = world
        self.eventLoops = eventLoops
    }

    func open() async throws(DeliveryFailure) {
        if let standing = connection.withLock({ $0 }), standing.end == nil { return }
        await replace(try await StreamConnection.connect(target, world: world, eventLoops: eventLoops))
    }

    func send(_ pieces: [ByteBuffer]) async throws(DeliveryFailure) {
        let standing = connection.withLock { $0 }
        if let standing, let end = standing.end {
            // The peer went away while nothing was written: said once, then we connect again.
            forget(standing)
            throw .unreachable(end)
        }
        if standing == nil { try await open() }
        guard let connection = standing ?? connection.withLock({ $0 }) else {
            throw .unreachable(Reason("connection_closed", "\(target.address) closed the connection."))
        }
        do throws(DeliveryFailure) {
            try await connection.write(pieces)
        } catch {
            forget(connection)
            throw error
        }
    }

    func close() async {
        let standing = connection.withLock { connection -> StreamConnection? in
            defer { connection = nil }
            return connection
        }
        await standing?.close()
    }

    private func replace(_ fresh: StreamConnection) async {
        let old = connection.withLock { connection -> StreamConnection? in
            defer { connection = fresh }
            return connection
        }
        await old?.close()
    }

    private func forget(_ old: StreamConnection) {
        connection.withLock { if $0 === old { $0 = nil } }
    }
}
