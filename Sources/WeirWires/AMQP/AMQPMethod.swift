package import NIOCore

/// The methods that publishing and consuming need, in both directions. All others keep only their numbers, so that
/// they can be refused by name.
package enum AMQPMethod: Sendable, Hashable {
    case connectionStart(properties: AMQPTable, mechanisms: String, locales: String)
    case connectionStartOK(properties: AMQPTable, mechanism: String, response: ByteBuffer, locale: String)
    case connectionTune(AMQPTuning)
    case connectionTuneOK(AMQPTuning)
    case connectionOpen(vhost: String)
    case connectionOpenOK
    case connectionClose(AMQPClosing)
    case connectionCloseOK
    case connectionBlocked(reason: String)
    case connectionUnblocked

    case channelOpen
    case channelOpenOK
    case channelFlow(isActive: Bool)
    case channelFlowOK(isActive: Bool)
    case channelClose(AMQPClosing)
    case channelCloseOK

    case exchangeDeclare(AMQPDeclaration)
    case exchangeDeclareOK
    case queueDeclare(AMQPDeclaration)
    case queueDeclareOK(name: String, messages: UInt32, consumers: UInt32)
    case queueBind(queue: String, exchange: String, routingKey: String)
    case queueBindOK
    case queueDelete(queue: String)
    case queueDeleteOK(messages: UInt32)

    case basicQos(size: UInt32, count: UInt16, isGlobal: Bool)
    case basicQosOK
    case basicConsume(queue: String, tag: String)
    case basicConsumeOK(tag: String)
    /// From a broker: the queue has gone.
    case basicCancel(tag: String, noWait: Bool)
    case basicCancelOK(tag: String)
    case basicPublish(exchange: String, routingKey: String, isMandatory: Bool, isImmediate: Bool)
    case basicReturn(code: UInt16, text: String, exchange: String, routingKey: String)
    case basicDeliver(consumer: String, tag: UInt64, isRedelivered: Bool, exchange: String, routingKey: String)
    case basicAck(tag: UInt64, isMultiple: Bool)
    case basicNack(tag: UInt64, isMultiple: Bool, requeues: Bool)

    case confirmSelect(noWait: Bool)
    case confirmSelectOK

    case other(AMQPMethodID)
}

/// Class and number of a method.
package struct AMQPMethodID: Sendable, Hashable, CustomStringConvertible {
    package var classID: UInt16
    package var methodID: UInt16

    package init(_ classID: UInt16, _ methodID: UInt16) {
        self.classID = classID
        self.methodID = methodID
    }

    static let none = AMQPMethodID(0, 0)

    package var description: String {
        switch (classID, methodID) {
        case (10, 70): "connection.update-secret"
        case (20, 10): "channel.open"
        case (40, 10): "exchange.declare"
        case (50, 10): "queue.declare"
        case (60, 10): "basic.qos"
        case (40, 20): "exchange.delete"
        case (40, 30): "exchange.bind"
        case (40, 40): "exchange.unbind"
        case (50, 20): "queue.bind"
        case (50, 30): "queue.purge"
        case (50, 40): "queue.delete"
        case (50, 50): "queue.unbind"
        case (60, 20): "basic.consume"
        case (60, 30): "basic.cancel"
        case (60, 70): "basic.get"
        case (60, 90): "basic.reject"
        case (60, 100), (60, 110): "basic.recover"
        case (90, 10): "tx.select"
        case (90, _): "tx"
        default: "method \(classID).\(methodID)"
        }
    }
}

package struct AMQPTuning: Sendable, Hashable {
    /// 0 means: no limit.
    package var channelMost: UInt16
    /// Bytes with the overhead; 0 means: no limit.
    package var frameMost: UInt32
    /// Seconds; 0 means: none.
    package var heartbeat: UInt16

    package init(channelMost: UInt16, frameMost: UInt32, heartbeat: UInt16) {
        self.channelMost = channelMost
        self.frameMost = frameMost
        self.heartbeat = heartbeat
    }
}

/// Why a connection or a channel is closed.
package struct AMQPClosing: Sendable, Hashable {
    package var code: UInt16
    package var text: String
    /// What it was that could not be done.
    package var cause: AMQPMethodID

    package init(code: UInt16, text: String, cause: AMQPMethodID) {
        self.code = code
        self.text = text
        self.cause = cause
    }

    package init(_ code: AMQPCode, _ text: String, cause: AMQPMethodID? = nil) {
        self.init(code: code.rawValue, text: "\(code.name) - \(text)", cause: cause ?? .none)
    }
}

/// A queue or an exchange that a client asks for.
package struct AMQPDeclaration: Sendable, Hashable {
    package var name: String
    /// Of an exchange: `direct`, …; empty for a queue.
    package var type = ""
    /// Only asks whether it is there.
    package var isPassive = false
    package var isDurable = false
    package var isExclusive = false
    package var deletesItself = false
    package var isInternal = false
    package var noWait = false
    package var arguments = AMQPTable()

    package init(name: String) { self.name = name }
}

extension AMQPMethod {
    /// What is answered to this on a channel that this side has closed, when the wait ends with it. `nil`: it is passed
    /// over, because the other side may have sent it before it knew.
    package var answerOnClosedChannel: [AMQPMethod]? {
        switch self {
        case .channelCloseOK: []
        // Both sides closed at once.
        case .channelClose: [.channelCloseOK]
        default: nil
        }
    }
}
