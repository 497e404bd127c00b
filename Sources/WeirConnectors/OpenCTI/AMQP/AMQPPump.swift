internal import NIOCore

/// Carries one connection's messages to the platform, one after the other, so that their order is kept.
struct AMQPPump: Sendable {
    enum Job: Sendable {
        case authenticate(user: String, password: String)
        case count(channel: UInt16, epoch: UInt32, queue: String)
        /// A message that was gathered.
        case push(AMQPPublishID, BundlePush)
        /// A long one, as it comes.
        case begin(AMQPPublishID, BundleHead)
        case write(AMQPPublishID, ByteBuffer)
        case finish(AMQPPublishID)
        case abandon(AMQPPublishID)

        /// Bytes that it holds.
        var byteCount: Int {
            switch self {
            case .push(_, let push): push.bytes.readableBytes
            case .write(_, let bytes): bytes.readableBytes
            default: 0
            }
        }

        /// Whether it must be done although the client has gone: what it sent without confirms cannot be sent again.
        var outlivesClient: Bool {
            switch self {
            case .push(let id, _), .finish(let id), .begin(let id, _), .write(let id, _): !id.isConfirmed
            case .abandon: true
            case .authenticate, .count: false
            }
        }
    }

    enum Outcome: Sendable {
        case none
        case authenticated(Bool)
        case counted(UInt32?, channel: UInt16, epoch: UInt32, queue: String)
        case settled(AMQPPublishID, ConnectorFailure?)
    }

    let platform: any ConnectorPlatform
    let keys: any ConnectorKeys
    let connector: ConnectorID

    /// - Parameter receptions: long messages that have begun.
    func run(_ job: Job, _ receptions: inout [AMQPPublishID: any BundleReception]) async -> Outcome {
        switch job {
        case .authenticate(let user, let password):
            return .authenticated(await keys.key(of: user)?.isOpened(by: password) ?? false)
        case .count(let channel, let epoch, let queue):
            let level = await platform.queueLevel(connector)
            return .counted(level.map { UInt32(clamping: $0.messages) }, channel: channel, epoch: epoch, queue: queue)
        case .push(let id, let push):
            return await settle(id) { () async throws(ConnectorFailure) in
                try await platform.push(push, deadline: nil)
            }
        case .begin(let id, let head):
            do throws(ConnectorFailure) {
                receptions[id] = try await platform.beginPush(head, deadline: nil)
                return .none
            } catch {
                return .settled(id, error)
            }
        case .write(let id, let bytes):
            // Nothing there: it failed before, and that was said.
            guard let reception = receptions[id] else { return .none }
            do throws(ConnectorFailure) {
                try await reception.write(bytes)
                return .none
            } catch {
                receptions[id] = nil
                await reception.abandon()
                return .settled(id, error)
            }
        case .finish(let id):
            guard let reception = receptions.removeValue(forKey: id) else { return .none }
            return await settle(id) { () async throws(ConnectorFailure) in try await reception.finish() }
        case .abandon(let id):
            await receptions.removeValue(forKey: id)?.abandon()
            return .none
        }
    }

    private func settle(
        _ id: AMQPPublishID, _ body: () async throws(ConnectorFailure) -> Void
    ) async -> Outcome {
        do throws(ConnectorFailure) {
            try await body()
            return .settled(id, nil)
        } catch {
            return .settled(id, error)
        }
    }
}
