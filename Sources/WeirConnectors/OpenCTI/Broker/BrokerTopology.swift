internal import NIOCore
internal import WeirWires

/// What RabbitMQ is asked to have for a connector, as OpenCTI asks for it: two durable direct exchanges for all, and
/// for each connector two durable queues with their bindings.
struct BrokerTopology: Sendable, Hashable {
    /// `x-queue-type` of the queues.
    enum QueueType: String, Sendable, Hashable { case quorum, classic }

    var queueType = QueueType.quorum
    /// Bundles that RabbitMQ sends ahead for each connector; 1...10,000.
    var prefetch: UInt16 = 100
    /// RabbitMQ drops what a quorum queue has delivered too often, from 4.0 on after 20 times unless told otherwise.
    /// Earlier versions have no limit and do not know how to say so.
    var hasDeliveryLimit = false
    /// Each connector publishes to an exchange of its own, which leads to its push queue only.
    var hasOwnExchanges = false

    static let consumerTag = "weir"

    /// Declares everything and begins to consume.
    /// - Parameter foreign: queues that are there with other arguments (made by somebody else); they are used as they
    ///   are.
    func consuming(_ registration: ConnectorRegistration, foreign: Set<String>) -> [AMQPMethod] {
        let names = ConnectorTopology(registration.id)
        return [.channelOpen] + declaring(registration, foreign: foreign) + [
            .basicQos(size: 0, count: prefetch, isGlobal: false),
            .basicConsume(queue: names.pushQueue, tag: Self.consumerTag),
        ]
    }

    /// Exchanges, queues and bindings; what is there already stays.
    func declaring(_ registration: ConnectorRegistration, foreign: Set<String>) -> [AMQPMethod] {
        let names = ConnectorTopology(registration.id)
        return ConnectorTopology.exchanges.map { .exchangeDeclare(exchange($0)) } + [
            .queueDeclare(queue(names.listenQueue, registration, foreign)),
            .queueBind(
                queue: names.listenQueue, exchange: ConnectorTopology.connectorExchange, routingKey: names.listenRouting
            ),
            .queueDeclare(queue(names.pushQueue, registration, foreign)),
            .queueBind(
                queue: names.pushQueue, exchange: ConnectorTopology.workerExchange, routingKey: names.pushRouting),
        ] + (hasOwnExchanges ? own(names) : [])
    }

    private func own(_ names: ConnectorTopology) -> [AMQPMethod] {
        [
            .exchangeDeclare(exchange(names.ownExchange)),
            .queueBind(queue: names.pushQueue, exchange: names.ownExchange, routingKey: names.pushRouting),
        ]
    }

    /// Asks how much waits, now and exactly.
    static func counting(_ id: ConnectorID) -> [AMQPMethod] {
        var question = AMQPDeclaration(name: ConnectorTopology(id).pushQueue)
        question.isPassive = true
        return [.channelOpen, .queueDeclare(question)]
    }

    static func removing(_ id: ConnectorID) -> [AMQPMethod] {
        let names = ConnectorTopology(id)
        return [.channelOpen, .queueDelete(queue: names.listenQueue), .queueDelete(queue: names.pushQueue)]
    }

    private func exchange(_ name: String) -> AMQPDeclaration {
        var exchange = AMQPDeclaration(name: name)
        exchange.type = "direct"
        exchange.isDurable = true
        return exchange
    }

    private func queue(
        _ name: String, _ registration: ConnectorRegistration, _ foreign: Set<String>
    ) -> AMQPDeclaration {
        var queue = AMQPDeclaration(name: name)
        queue.isPassive = foreign.contains(name)
        queue.isDurable = true
        if queue.isPassive { return queue }
        let config = AMQPTable([
            .init("id", .text(registration.id)), .init("name", .text(registration.name)),
            .init("type", .text(registration.type)), .init("scope", .list(registration.scope.map { .text($0) })),
        ])
        queue.arguments = AMQPTable([
            .init("name", .text(registration.name)), .init("config", .table(config)),
            .init("x-queue-type", .text(queueType.rawValue)),
        ])
        if queueType == .quorum, hasDeliveryLimit {
            queue.arguments.entries.append(.init("x-delivery-limit", .int(-1)))
        }
        return queue
    }
}
