import NIOCore
import Testing
import WeirWires

@testable import WeirConnectors

@Suite("The values of a broker")
struct BrokerValueTests {
    @Test("an address is read as RabbitMQ writes them")
    func addresses() throws {
        let short = try BrokerAddress("amqp://mq")
        #expect((short.host, short.port, short.vhost, short.user, short.usesTLS) == ("mq", 5672, "/", "guest", false))
        #expect(short.management == "http://mq:15672")
        let long = try BrokerAddress("amqps://we%40ir:p%2Fw@[2001:db8::1]:5999/%2Fcti")
        #expect((long.host, long.port, long.vhost, long.usesTLS) == ("2001:db8::1", 5999, "/cti", true))
        #expect((long.user, long.password, long.hasPassword) == ("we@ir", "p/w", true))
        #expect(long.management == "https://[2001:db8::1]:15671")
        #expect(!long.description.contains("p/w"))
        let again = try BrokerAddress(long.description)
        #expect(again.vhost == "/cti" && again.host == long.host)
        let empty = try BrokerAddress("amqp://weir@mq/")
        #expect(empty.vhost == "/")
    }

    @Test("a connector's right is its own exchange, whatever its id is written with")
    func accounts() throws {
        #expect(BrokerAccounts.literal("push_a-1.b*") == #"push_a\-1\.b\*"#)
        var topology = BrokerTopology()
        topology.hasOwnExchanges = true
        let steps = topology.declaring(ConnectorRegistration(id: "a", name: "Feed", scope: []), foreign: [])
        let last = AMQPMethod.queueBind(queue: "push_a", exchange: "push_a", routingKey: "push_routing_a")
        #expect(steps.last == last)
    }

    @Test(
        "what is no address is refused",
        arguments: ["", "mq:5672", "http://mq", "amqp://", "amqp://mq/a/b", "amqp://mq?heartbeat=5", "amqp://mq:0"])
    func noAddresses(text: String) { #expect(throws: BrokerAddress.Mistake.self) { try BrokerAddress(text) } }

    @Test("the steps of a lane declare what OpenCTI declares, and consume last")
    func topology() throws {
        var registration = ConnectorRegistration(id: "a", name: "Feed", scope: ["x"])
        registration.origin = "opencti"
        var topology = BrokerTopology()
        let steps = topology.consuming(registration, foreign: [])
        let queues = steps.compactMap { if case .queueDeclare(let queue) = $0 { queue } else { nil } }
        #expect(queues.map(\.name) == ["listen_a", "push_a"])
        #expect(queues.allSatisfy { $0.isDurable && !$0.isPassive && $0.arguments["x-queue-type"]?.text == "quorum" })
        #expect(queues.allSatisfy { $0.arguments["x-delivery-limit"] == nil })
        let exchanges = steps.compactMap { if case .exchangeDeclare(let exchange) = $0 { exchange } else { nil } }
        #expect(exchanges.map(\.name).sorted() == ["amqp.connector.exchange", "amqp.worker.exchange"])
        #expect(exchanges.allSatisfy { $0.isDurable && $0.type == "direct" })
        #expect(
            steps.contains(
                .queueBind(queue: "push_a", exchange: "amqp.worker.exchange", routingKey: "push_routing_a")))
        #expect(steps.suffix(2).map(\.id) == [AMQPMethodID(60, 10), AMQPMethodID(60, 20)])
        // From 4.0 on RabbitMQ drops what it has delivered twenty times.
        topology.hasDeliveryLimit = true
        let limited = topology.declaring(registration, foreign: [])
        #expect(
            limited.contains { step in
                guard case .queueDeclare(let queue) = step else { return false }
                return queue.arguments["x-delivery-limit"] == .int(-1)
            })
        let foreign = topology.declaring(registration, foreign: ["push_a"])
            .compactMap { if case .queueDeclare(let queue) = $0 { queue } else { nil } }
        #expect(foreign.map(\.isPassive) == [false, true])
        #expect(foreign.last?.arguments.entries.isEmpty == true)
    }

    @Test(
        "what waits is never said to be less than it is",
        arguments: [
            // Nothing is ready: what Weir has in its hands is all there is, whatever the figures say.
            (told: WorkQueueLevel(messages: 9, bytes: 900), ready: 0, taken: 2, isOurs: true, bytes: 20),
            (told: nil, ready: 0, taken: 0, isOurs: true, bytes: 0),
            (told: nil, ready: 0, taken: 0, isOurs: false, bytes: nil),
            (told: nil, ready: 5, taken: 0, isOurs: true, bytes: nil),
            // The figures are those of now, or of a time when there was more.
            (told: WorkQueueLevel(messages: 7, bytes: 71), ready: 5, taken: 2, isOurs: true, bytes: 71),
            (told: WorkQueueLevel(messages: 9, bytes: 91), ready: 5, taken: 2, isOurs: true, bytes: 91),
            // They are old: what came since is estimated.
            (told: WorkQueueLevel(messages: 2, bytes: 200), ready: 4, taken: 2, isOurs: true, bytes: 600),
            (told: WorkQueueLevel(messages: 0, bytes: 0), ready: 8, taken: 2, isOurs: true, bytes: 100),
            (told: WorkQueueLevel(messages: 0, bytes: 0), ready: 8, taken: 0, isOurs: true, bytes: nil),
        ] as [(told: WorkQueueLevel?, ready: Int, taken: Int, isOurs: Bool, bytes: Int64?)])
    func levels(told: WorkQueueLevel?, ready: Int, taken: Int, isOurs: Bool, bytes: Int64?) {
        let taken = WorkQueueLevel(messages: taken, bytes: Int64(taken) * 10)
        let level = WorkQueueLevel.inRabbitMQ(told: told, ready: ready, taken: taken, isOurs: isOurs)
        #expect(level?.bytes == bytes)
    }

    // MARK: The inbox

    private func bundle(_ lane: BrokerLane, _ tag: UInt64, _ text: String, isRedelivered: Bool = false)
        -> BrokerInbox.Bundle
    {
        var delivery = BrokerDelivery(lane: lane, tag: tag, isRedelivered: isRedelivered)
        delivery.byteCount = UInt64(text.utf8.count)
        var mark = BundleMark.Maker()
        mark.feed(ByteBuffer(string: text))
        return BrokerInbox.Bundle(delivery: delivery, body: .inline(ByteBuffer(string: text)), mark: mark.mark())
    }

    private func lane(_ epoch: UInt32) -> BrokerLane {
        BrokerLane(connector: "a", connection: 1, channel: 1, epoch: epoch)
    }

    @Test("what comes again and was settled meanwhile is known by its bytes, when RabbitMQ says that it comes again")
    func settledBefore() {
        let inbox = BrokerInbox(BrokerInbox.Settings())
        inbox.began(lane(1))
        let first = bundle(lane(1), 1, "one")
        #expect(inbox.begin(first.delivery) && inbox.put(first))
        #expect(inbox.take("a", most: 10).count == 1)
        #expect(inbox.ended(lane(1)).isEmpty)
        inbox.settled(first)
        inbox.began(lane(2))
        #expect(inbox.wasSettled(bundle(lane(2), 1, "one", isRedelivered: true)))
        #expect(!inbox.wasSettled(bundle(lane(2), 2, "one")))
        #expect(!inbox.wasSettled(bundle(lane(2), 3, "two", isRedelivered: true)))
        #expect(inbox.unacknowledged("a") == WorkQueueLevel(messages: 0, bytes: 0))
    }

    @Test("what a lane brought and nobody took goes with it")
    func endedLane() {
        let inbox = BrokerInbox(BrokerInbox.Settings())
        inbox.began(lane(1))
        for tag in 1...3 as ClosedRange<UInt64> {
            let bundle = bundle(lane(1), tag, "text \(tag)")
            #expect(inbox.begin(bundle.delivery) && inbox.put(bundle))
        }
        #expect(inbox.unacknowledged("a") == WorkQueueLevel(messages: 3, bytes: 18))
        #expect(inbox.take("a", most: 6).count == 1)
        #expect(inbox.ended(lane(1)).count == 2)
        #expect(inbox.isEmpty("a"))
        #expect(!inbox.put(bundle(lane(1), 4, "late")))
    }

    @Test("memory is bounded for each and for all: what is over goes to files")
    func memory() {
        var settings = BrokerInbox.Settings()
        (settings.inlineMost, settings.connectorMost, settings.heldMost) = (10, 25, 40)
        let inbox = BrokerInbox(settings)
        func begins(_ connector: ConnectorID, _ tag: UInt64, _ size: UInt64) -> Bool {
            let lane = BrokerLane(connector: connector, connection: 1, channel: 1, epoch: 1)
            var delivery = BrokerDelivery(lane: lane, tag: tag, isRedelivered: false)
            delivery.byteCount = size
            return inbox.begin(delivery)
        }
        #expect(!begins("a", 1, 11) && begins("a", 2, 10) && begins("a", 3, 10) && !begins("a", 4, 10))
        #expect(begins("b", 1, 10) && begins("b", 2, 10) && !begins("c", 1, 10))
        let lane = BrokerLane(connector: "a", connection: 1, channel: 1, epoch: 1)
        var delivery = BrokerDelivery(lane: lane, tag: 2, isRedelivered: false)
        delivery.byteCount = 10
        inbox.forget(delivery)
        #expect(begins("c", 2, 10))
    }

    @Test("only so many settled bundles are remembered")
    func remembered() {
        var settings = BrokerInbox.Settings()
        settings.remembered = 2
        let inbox = BrokerInbox(settings)
        for tag in 1...3 as ClosedRange<UInt64> { inbox.settled(bundle(lane(1), tag, "text \(tag)")) }
        #expect(!inbox.wasSettled(bundle(lane(2), 1, "text 1", isRedelivered: true)))
        #expect(inbox.wasSettled(bundle(lane(2), 1, "text 3", isRedelivered: true)))
    }
}
