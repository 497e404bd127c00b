internal import Logging
internal import NIOCore
internal import WeirGates
internal import WeirStore
internal import WeirWorld

/// Brings bundles from the connection into the inbox, those that are not small by way of a file. The files are never
/// synced: what is lost with them RabbitMQ still has.
struct BrokerIntake: Sendable {
    enum Job: Sendable {
        /// One that was gathered.
        case whole(BrokerDelivery, ByteBuffer)
        case begin(BrokerDelivery)
        case write(BrokerDelivery, ByteBuffer)
        case finish(BrokerDelivery)
        case abandon(BrokerDelivery)

        var delivery: BrokerDelivery {
            switch self {
            case .whole(let delivery, _), .begin(let delivery), .write(let delivery, _), .finish(let delivery),
                .abandon(let delivery):
                delivery
            }
        }

        /// Bytes that wait for the disk.
        var pendingBytes: Int { if case .write(_, let bytes) = self { bytes.readableBytes } else { 0 } }
    }

    /// Files that are being written.
    struct Spooling: Sendable {
        fileprivate struct One: Sendable {
            var writing: BundleSpool.Writing
            var mark = BundleMark.Maker()
            var finder = WorkFinder()
        }

        fileprivate var files: [BrokerDelivery: One] = [:]

        var deliveries: [BrokerDelivery] { Array(files.keys) }
    }

    let inbox: BrokerInbox
    let spools: BrokerSpools
    let book: ConnectorBook
    let world: World
    /// Something is in a connector's inbox.
    let ready: @Sendable (ConnectorID) -> Void

    /// - Returns: false when the bundle cannot be kept now.
    func run(_ job: Job, _ spooling: inout Spooling) async -> Bool {
        do throws(StoreFailure) {
            switch job {
            case .whole(let delivery, let bytes):
                var mark = BundleMark.Maker()
                mark.feed(bytes)
                var finder = WorkFinder()
                finder.feed(bytes)
                put(BrokerInbox.Bundle(delivery: delivery, body: .inline(bytes), mark: mark.mark(), work: finder.work))
            case .begin(let delivery):
                let name = String(world.random.next(), radix: 16) + ".bundle"
                let writing = try await spools[delivery.lane.connector].begin(name)
                spooling.files[delivery] = Spooling.One(writing: writing)
            case .write(let delivery, let bytes):
                // Nothing there: it failed before.
                guard var one = spooling.files[delivery] else { return true }
                try await spools[delivery.lane.connector].write(bytes, to: one.writing)
                one.writing.length += Int64(bytes.readableBytes)
                one.mark.feed(bytes)
                one.finder.feed(bytes)
                spooling.files[delivery] = one
            case .finish(let delivery):
                guard let one = spooling.files.removeValue(forKey: delivery) else { return true }
                await spools[delivery.lane.connector].close(one.writing)
                let bundle = BrokerInbox.Bundle(
                    delivery: delivery, body: .spooled(one.writing.name), mark: one.mark.mark(), work: one.finder.work)
                if !put(bundle) { spools[delivery.lane.connector].remove([one.writing.name]) }
            case .abandon(let delivery):
                await abandon(delivery, spooling)
                spooling.files[delivery] = nil
            }
            return true
        } catch {
            let wall = world.time.wall
            book.withSlot(job.delivery.lane.connector) { slot, _ in _ = slot.trouble(error.reason, at: wall) }
            world.log.error(
                "a bundle from RabbitMQ cannot be kept and goes back to its queue",
                metadata: ["connector": "\(job.delivery.lane.connector)", "error.kind": "\(error.code)"])
            await abandon(job.delivery, spooling)
            spooling.files[job.delivery] = nil
            return false
        }
    }

    func abandon(_ delivery: BrokerDelivery, _ spooling: Spooling) async {
        guard let one = spooling.files[delivery] else { return }
        await spools[delivery.lane.connector].abandon(one.writing, isOpen: true)
    }

    /// These will come again.
    func drop(_ bundles: [BrokerInbox.Bundle]) {
        for bundle in bundles {
            if case .spooled(let name) = bundle.body { spools[bundle.delivery.lane.connector].remove([name]) }
        }
    }

    @discardableResult
    private func put(_ bundle: BrokerInbox.Bundle) -> Bool {
        guard inbox.put(bundle) else { return false }
        ready(bundle.delivery.lane.connector)
        return true
    }
}

/// The spools of bundles from RabbitMQ, apart from those of the work queues.
struct BrokerSpools: Sendable {
    let root: String
    let files: any FileSystem
    let lane: any BlockingLane

    subscript(connector: ConnectorID) -> BundleSpool {
        let path = ConnectorDirectory(root: root, connector: connector).path
        return BundleSpool(
            directory: path + "/broker", deadDirectory: path + "/dead-letters", files: files, lane: lane)
    }
}
