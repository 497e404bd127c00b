internal import NIOCore

extension AMQPMethod {
    package var id: AMQPMethodID {
        switch self {
        case .connectionStart: AMQPMethodID(10, 10)
        case .connectionStartOK: AMQPMethodID(10, 11)
        case .connectionTune: AMQPMethodID(10, 30)
        case .connectionTuneOK: AMQPMethodID(10, 31)
        case .connectionOpen: AMQPMethodID(10, 40)
        case .connectionOpenOK: AMQPMethodID(10, 41)
        case .connectionClose: AMQPMethodID(10, 50)
        case .connectionCloseOK: AMQPMethodID(10, 51)
        case .connectionBlocked: AMQPMethodID(10, 60)
        case .connectionUnblocked: AMQPMethodID(10, 61)
        case .channelOpen: AMQPMethodID(20, 10)
        case .channelOpenOK: AMQPMethodID(20, 11)
        case .channelFlow: AMQPMethodID(20, 20)
        case .channelFlowOK: AMQPMethodID(20, 21)
        case .channelClose: AMQPMethodID(20, 40)
        case .channelCloseOK: AMQPMethodID(20, 41)
        case .exchangeDeclare: AMQPMethodID(40, 10)
        case .exchangeDeclareOK: AMQPMethodID(40, 11)
        case .queueDeclare: AMQPMethodID(50, 10)
        case .queueDeclareOK: AMQPMethodID(50, 11)
        case .queueBind: AMQPMethodID(50, 20)
        case .queueBindOK: AMQPMethodID(50, 21)
        case .queueDelete: AMQPMethodID(50, 40)
        case .queueDeleteOK: AMQPMethodID(50, 41)
        case .basicQos: AMQPMethodID(60, 10)
        case .basicQosOK: AMQPMethodID(60, 11)
        case .basicConsume: AMQPMethodID(60, 20)
        case .basicConsumeOK: AMQPMethodID(60, 21)
        case .basicCancel: AMQPMethodID(60, 30)
        case .basicCancelOK: AMQPMethodID(60, 31)
        case .basicPublish: AMQPMethodID(60, 40)
        case .basicReturn: AMQPMethodID(60, 50)
        case .basicDeliver: AMQPMethodID(60, 60)
        case .basicAck: AMQPMethodID(60, 80)
        case .basicNack: AMQPMethodID(60, 120)
        case .confirmSelect: AMQPMethodID(85, 10)
        case .confirmSelectOK: AMQPMethodID(85, 11)
        case .other(let id): id
        }
    }

    /// Reads one method. Of a method that is not known the arguments are passed over.
    static func read(from buffer: inout ByteBuffer) throws(AMQPMistake) -> AMQPMethod {
        let id = AMQPMethodID(try buffer.readAMQPInteger(UInt16.self), try buffer.readAMQPInteger(UInt16.self))
        switch id.classID {
        case 10: if let method = try connection(id.methodID, &buffer) { return method }
        case 20: if let method = try channel(id.methodID, &buffer) { return method }
        case 40, 50: if let method = try declaration(id, &buffer) { return method }
        case 60, 85: if let method = try basic(id, &buffer) { return method }
        default: break
        }
        buffer.moveReaderIndex(to: buffer.writerIndex)
        return .other(id)
    }

    private static func connection(_ number: UInt16, _ buffer: inout ByteBuffer) throws(AMQPMistake) -> AMQPMethod? {
        switch number {
        case 10:
            _ = try buffer.readAMQPInteger(UInt16.self)
            let properties = try AMQPTable.read(from: &buffer)
            return .connectionStart(
                properties: properties, mechanisms: String(buffer: try buffer.readAMQPLong()),
                locales: String(buffer: try buffer.readAMQPLong()))
        case 11:
            let properties = try AMQPTable.read(from: &buffer)
            return .connectionStartOK(
                properties: properties, mechanism: try buffer.readAMQPShort(), response: try buffer.readAMQPLong(),
                locale: try buffer.readAMQPShort())
        case 30: return .connectionTune(try tuning(&buffer))
        case 31: return .connectionTuneOK(try tuning(&buffer))
        case 40:
            let vhost = try buffer.readAMQPShort()
            _ = try buffer.readAMQPShort()
            _ = try buffer.readAMQPInteger(UInt8.self)
            return .connectionOpen(vhost: vhost)
        case 41:
            _ = try buffer.readAMQPShort()
            return .connectionOpenOK
        case 50: return .connectionClose(try closing(&buffer))
        case 51: return .connectionCloseOK
        case 60: return .connectionBlocked(reason: try buffer.readAMQPShort())
        case 61: return .connectionUnblocked
        default: return nil
        }
    }

    private static func channel(_ number: UInt16, _ buffer: inout ByteBuffer) throws(AMQPMistake) -> AMQPMethod? {
        switch number {
        case 10:
            _ = try buffer.readAMQPShort()
            return .channelOpen
        case 11:
            _ = try buffer.readAMQPLong()
            return .channelOpenOK
        case 20: return .channelFlow(isActive: try bits(&buffer) & 1 != 0)
        case 21: return .channelFlowOK(isActive: try bits(&buffer) & 1 != 0)
        case 40: return .channelClose(try closing(&buffer))
        case 41: return .channelCloseOK
        default: return nil
        }
    }

    private static func declaration(
        _ id: AMQPMethodID, _ buffer: inout ByteBuffer
    ) throws(AMQPMistake) -> AMQPMethod? {
        switch (id.classID, id.methodID) {
        case (40, 10), (50, 10):
            _ = try buffer.readAMQPInteger(UInt16.self)
            var declaration = AMQPDeclaration(name: try buffer.readAMQPShort())
            let isExchange = id.classID == 40
            if isExchange { declaration.type = try buffer.readAMQPShort() }
            let bits = try bits(&buffer)
            declaration.isPassive = bits & 1 != 0
            declaration.isDurable = bits & 2 != 0
            declaration.isExclusive = !isExchange && bits & 4 != 0
            declaration.deletesItself = bits & (isExchange ? 4 : 8) != 0
            declaration.isInternal = isExchange && bits & 8 != 0
            declaration.noWait = bits & 16 != 0
            declaration.arguments = try AMQPTable.read(from: &buffer)
            return isExchange ? .exchangeDeclare(declaration) : .queueDeclare(declaration)
        case (40, 11): return .exchangeDeclareOK
        case (50, 11):
            let name = try buffer.readAMQPShort()
            return .queueDeclareOK(
                name: name, messages: try buffer.readAMQPInteger(UInt32.self),
                consumers: try buffer.readAMQPInteger(UInt32.self))
        case (50, 20):
            _ = try buffer.readAMQPInteger(UInt16.self)
            let queue = try buffer.readAMQPShort()
            let exchange = try buffer.readAMQPShort()
            let routingKey = try buffer.readAMQPShort()
            _ = try bits(&buffer)
            _ = try AMQPTable.read(from: &buffer)
            return .queueBind(queue: queue, exchange: exchange, routingKey: routingKey)
        case (50, 21): return .queueBindOK
        case (50, 40):
            _ = try buffer.readAMQPInteger(UInt16.self)
            let queue = try buffer.readAMQPShort()
            _ = try bits(&buffer)
            return .queueDelete(queue: queue)
        case (50, 41): return .queueDeleteOK(messages: try buffer.readAMQPInteger(UInt32.self))
        default: return nil
        }
    }

    private static func basic(_ id: AMQPMethodID, _ buffer: inout ByteBuffer) throws(AMQPMistake) -> AMQPMethod? {
        switch (id.classID, id.methodID) {
        case (60, 10):
            let size = try buffer.readAMQPInteger(UInt32.self)
            let count = try buffer.readAMQPInteger(UInt16.self)
            return .basicQos(size: size, count: count, isGlobal: try bits(&buffer) & 1 != 0)
        case (60, 11): return .basicQosOK
        case (60, 20):
            _ = try buffer.readAMQPInteger(UInt16.self)
            let queue = try buffer.readAMQPShort()
            let tag = try buffer.readAMQPShort()
            _ = try bits(&buffer)
            _ = try AMQPTable.read(from: &buffer)
            return .basicConsume(queue: queue, tag: tag)
        case (60, 21): return .basicConsumeOK(tag: try buffer.readAMQPShort())
        case (60, 30):
            let tag = try buffer.readAMQPShort()
            return .basicCancel(tag: tag, noWait: try bits(&buffer) & 1 != 0)
        case (60, 31): return .basicCancelOK(tag: try buffer.readAMQPShort())
        case (60, 40):
            _ = try buffer.readAMQPInteger(UInt16.self)
            let exchange = try buffer.readAMQPShort()
            let routingKey = try buffer.readAMQPShort()
            let bits = try bits(&buffer)
            return .basicPublish(
                exchange: exchange, routingKey: routingKey, isMandatory: bits & 1 != 0, isImmediate: bits & 2 != 0)
        case (60, 50):
            let code = try buffer.readAMQPInteger(UInt16.self)
            let text = try buffer.readAMQPShort()
            let exchange = try buffer.readAMQPShort()
            return .basicReturn(code: code, text: text, exchange: exchange, routingKey: try buffer.readAMQPShort())
        case (60, 60):
            let consumer = try buffer.readAMQPShort()
            let tag = try buffer.readAMQPInteger(UInt64.self)
            let isRedelivered = try bits(&buffer) & 1 != 0
            let exchange = try buffer.readAMQPShort()
            return .basicDeliver(
                consumer: consumer, tag: tag, isRedelivered: isRedelivered, exchange: exchange,
                routingKey: try buffer.readAMQPShort())
        case (60, 80):
            let tag = try buffer.readAMQPInteger(UInt64.self)
            return .basicAck(tag: tag, isMultiple: try bits(&buffer) & 1 != 0)
        case (60, 120):
            let tag = try buffer.readAMQPInteger(UInt64.self)
            let bits = try bits(&buffer)
            return .basicNack(tag: tag, isMultiple: bits & 1 != 0, requeues: bits & 2 != 0)
        case (85, 10): return .confirmSelect(noWait: try bits(&buffer) & 1 != 0)
        case (85, 11): return .confirmSelectOK
        default: return nil
        }
    }

    private static func bits(_ buffer: inout ByteBuffer) throws(AMQPMistake) -> UInt8 {
        try buffer.readAMQPInteger(UInt8.self)
    }

    private static func tuning(_ buffer: inout ByteBuffer) throws(AMQPMistake) -> AMQPTuning {
        let channels = try buffer.readAMQPInteger(UInt16.self)
        let frame = try buffer.readAMQPInteger(UInt32.self)
        return AMQPTuning(
            channelMost: channels, frameMost: frame, heartbeat: try buffer.readAMQPInteger(UInt16.self))
    }

    private static func closing(_ buffer: inout ByteBuffer) throws(AMQPMistake) -> AMQPClosing {
        let code = try buffer.readAMQPInteger(UInt16.self)
        let text = try buffer.readAMQPShort()
        let classID = try buffer.readAMQPInteger(UInt16.self)
        return AMQPClosing(
            code: code, text: text, cause: AMQPMethodID(classID, try buffer.readAMQPInteger(UInt16.self)))
    }
}
