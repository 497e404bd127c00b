internal import DequeModule
internal import NIOCore
internal import Synchronization

/// Bundles that RabbitMQ has delivered and that are not acknowledged yet, by connector, and what was acknowledged
/// lately.
///
/// RabbitMQ brings back what was on its way when a connection or a channel ended. What was settled meanwhile is known
/// by its mark, and is acknowledged without being delivered a second time. That holds as long as this process lives.
final class BrokerInbox: Sendable {
    struct Settings: Sendable {
        /// A longer bundle goes to a file; 1 MiB.
        var inlineMost: UInt64 = 1 << 20
        /// Of all connectors in memory; when there is more, short bundles go to files too. 64 MiB.
        var heldMost: UInt64 = 64 << 20
        /// Of one connector in memory; 4 MiB.
        var connectorMost: UInt64 = 4 << 20
        /// How many settled bundles of one connector are remembered: not less than it may have on their way.
        var remembered = 1_024
    }

    struct Bundle: Sendable {
        enum Body: Sendable {
            case inline(ByteBuffer)
            /// A file of the connector's spool.
            case spooled(String)
        }

        var delivery: BrokerDelivery
        var body: Body
        var mark: BundleMark
        /// The work that it names; of one that cannot be read too, where that much can be read.
        var work: WorkID?
    }

    private struct Box {
        var lane: BrokerLane?
        var bundles = Deque<Bundle>()
        var unacknowledged = WorkQueueLevel(messages: 0, bytes: 0)
        /// Delivered, in memory, not settled.
        var held: [BrokerDelivery: UInt64] = [:]
        var heldBytes: UInt64 = 0
        var settled = Deque<BundleMark>()

        /// Its bytes are not in memory any more.
        mutating func release(_ delivery: BrokerDelivery, _ total: inout UInt64) {
            guard let bytes = held.removeValue(forKey: delivery) else { return }
            heldBytes -= bytes
            total -= bytes
        }
    }

    private struct State {
        var boxes: [ConnectorID: Box] = [:]
        var heldBytes: UInt64 = 0
    }

    private let settings: Settings
    private let state = Mutex(State())

    init(_ settings: Settings) { self.settings = settings }

    // MARK: Lanes

    func began(_ lane: BrokerLane) {
        change(lane.connector) { box, _ in
            box.lane = lane
            box.unacknowledged = WorkQueueLevel(messages: 0, bytes: 0)
        }
    }

    /// What it has brought and no turn has taken will come again.
    func ended(_ lane: BrokerLane) -> [Bundle] {
        change(lane.connector) { box, heldBytes in
            guard box.lane == lane else { return [] }
            box.lane = nil
            box.unacknowledged = WorkQueueLevel(messages: 0, bytes: 0)
            let dropped = Array(box.bundles)
            box.bundles = []
            // Those too that were still coming in, and those in a turn, which is short of all of them.
            for delivery in box.held.keys where delivery.lane == lane { box.release(delivery, &heldBytes) }
            return dropped
        }
    }

    func remove(_ connector: ConnectorID) {
        state.withLock { state in
            guard let box = state.boxes.removeValue(forKey: connector) else { return }
            state.heldBytes -= min(box.heldBytes, state.heldBytes)
        }
    }

    /// What RabbitMQ has given to Weir and counts as not acknowledged.
    func unacknowledged(_ connector: ConnectorID) -> WorkQueueLevel {
        state.withLock { $0.boxes[connector]?.unacknowledged } ?? WorkQueueLevel(messages: 0, bytes: 0)
    }

    // MARK: Coming in

    /// - Returns: whether it may be gathered in memory.
    func begin(_ delivery: BrokerDelivery) -> Bool {
        change(delivery.lane.connector) { box, heldBytes in
            if box.lane == delivery.lane {
                box.unacknowledged.messages += 1
                box.unacknowledged.bytes += Int64(clamping: delivery.byteCount)
            }
            let size = delivery.byteCount
            // The sums cannot overflow: each part was compared with a limit before.
            guard size <= settings.inlineMost, box.heldBytes + size <= settings.connectorMost,
                heldBytes + size <= settings.heldMost
            else { return false }
            box.held[delivery] = size
            box.heldBytes += size
            heldBytes += size
            return true
        }
    }

    /// - Returns: false when its lane is over, so that it will come again.
    func put(_ bundle: Bundle) -> Bool {
        change(bundle.delivery.lane.connector) { box, heldBytes in
            guard box.lane == bundle.delivery.lane else {
                box.release(bundle.delivery, &heldBytes)
                return false
            }
            box.bundles.append(bundle)
            return true
        }
    }

    // MARK: Going out

    /// - Parameter most: bytes; one bundle is always taken.
    func take(_ connector: ConnectorID, most: Int) -> [Bundle] {
        change(connector) { box, _ in
            var taken: [Bundle] = []
            var bytes: UInt64 = 0
            while let first = box.bundles.first, taken.isEmpty || bytes + first.delivery.byteCount <= UInt64(most) {
                bytes += first.delivery.byteCount
                taken.append(box.bundles.removeFirst())
            }
            return taken
        }
    }

    func isEmpty(_ connector: ConnectorID) -> Bool { state.withLock { $0.boxes[connector]?.bundles.isEmpty ?? true } }

    func wasSettled(_ bundle: Bundle) -> Bool {
        guard bundle.delivery.isRedelivered else { return false }
        return state.withLock { $0.boxes[bundle.delivery.lane.connector]?.settled.contains(bundle.mark) ?? false }
    }

    /// It is dealt with and counted.
    func settled(_ bundle: Bundle) {
        change(bundle.delivery.lane.connector) { [remembered = settings.remembered] box, _ in
            if !box.settled.contains(bundle.mark) { box.settled.append(bundle.mark) }
            if box.settled.count > remembered { box.settled.removeFirst() }
        }
        forget(bundle.delivery)
    }

    /// It is not in Weir's hands any more.
    func forget(_ delivery: BrokerDelivery) {
        change(delivery.lane.connector) { box, heldBytes in
            box.release(delivery, &heldBytes)
            guard box.lane == delivery.lane else { return }
            box.unacknowledged.messages -= 1
            box.unacknowledged.bytes -= Int64(clamping: delivery.byteCount)
        }
    }

    private func change<Value: Sendable>(
        _ connector: ConnectorID, _ body: (inout Box, inout UInt64) -> Value
    ) -> Value {
        state.withLock { state in
            var box = state.boxes.removeValue(forKey: connector) ?? Box()
            defer { state.boxes[connector] = box }
            return body(&box, &state.heldBytes)
        }
    }
}
