internal import NIOCore

extension AMQPMethod {
    func write(to buffer: inout ByteBuffer) {
        buffer.writeInteger(id.classID)
        buffer.writeInteger(id.methodID)
        switch self {
        case .connectionStart(let properties, let mechanisms, let locales):
            buffer.writeMultipleIntegers(UInt8(0), UInt8(9))
            properties.write(to: &buffer)
            buffer.writeAMQPLong(ByteBuffer(string: mechanisms))
            buffer.writeAMQPLong(ByteBuffer(string: locales))
        case .connectionStartOK(let properties, let mechanism, let response, let locale):
            properties.write(to: &buffer)
            buffer.writeAMQPShort(mechanism)
            buffer.writeAMQPLong(response)
            buffer.writeAMQPShort(locale)
        case .connectionTune(let tuning), .connectionTuneOK(let tuning):
            buffer.writeMultipleIntegers(tuning.channelMost, tuning.frameMost, tuning.heartbeat)
        case .connectionOpen(let vhost):
            buffer.writeAMQPShort(vhost)
            buffer.writeMultipleIntegers(UInt8(0), UInt8(0))
        case .connectionOpenOK, .channelOpen: buffer.writeInteger(UInt8(0))
        case .connectionClose(let closing), .channelClose(let closing):
            buffer.writeInteger(closing.code)
            buffer.writeAMQPShort(closing.text)
            buffer.writeMultipleIntegers(closing.cause.classID, closing.cause.methodID)
        case .connectionBlocked(let reason): buffer.writeAMQPShort(reason)
        case .channelOpenOK: buffer.writeInteger(UInt32(0))
        case .channelFlow(let isActive), .channelFlowOK(let isActive): buffer.writeInteger(UInt8(isActive ? 1 : 0))
        case .exchangeDeclare(let declaration), .queueDeclare(let declaration):
            write(declaration, isExchange: id.classID == 40, to: &buffer)
        case .queueDeclareOK(let name, let messages, let consumers):
            buffer.writeAMQPShort(name)
            buffer.writeMultipleIntegers(messages, consumers)
        case .queueBind(let queue, let exchange, let routingKey):
            buffer.writeInteger(UInt16(0))
            buffer.writeAMQPShort(queue)
            buffer.writeAMQPShort(exchange)
            buffer.writeAMQPShort(routingKey)
            buffer.writeInteger(UInt8(0))
            AMQPTable().write(to: &buffer)
        case .queueDelete(let queue):
            buffer.writeInteger(UInt16(0))
            buffer.writeAMQPShort(queue)
            buffer.writeInteger(UInt8(0))
        case .queueDeleteOK(let messages): buffer.writeInteger(messages)
        case .basicConsume(let queue, let tag):
            buffer.writeInteger(UInt16(0))
            buffer.writeAMQPShort(queue)
            buffer.writeAMQPShort(tag)
            buffer.writeInteger(UInt8(0))
            AMQPTable().write(to: &buffer)
        case .basicConsumeOK(let tag), .basicCancelOK(let tag): buffer.writeAMQPShort(tag)
        case .basicCancel(let tag, let noWait):
            buffer.writeAMQPShort(tag)
            buffer.writeInteger(UInt8(noWait ? 1 : 0))
        case .basicDeliver(let consumer, let tag, let isRedelivered, let exchange, let routingKey):
            buffer.writeAMQPShort(consumer)
            buffer.writeMultipleIntegers(tag, UInt8(isRedelivered ? 1 : 0))
            buffer.writeAMQPShort(exchange)
            buffer.writeAMQPShort(routingKey)
        case .basicQos(let size, let count, let isGlobal):
            buffer.writeMultipleIntegers(size, count, UInt8(isGlobal ? 1 : 0))
        case .basicPublish(let exchange, let routingKey, let isMandatory, let isImmediate):
            buffer.writeInteger(UInt16(0))
            buffer.writeAMQPShort(exchange)
            buffer.writeAMQPShort(routingKey)
            buffer.writeInteger(UInt8((isMandatory ? 1 : 0) | (isImmediate ? 2 : 0)))
        case .basicReturn(let code, let text, let exchange, let routingKey):
            buffer.writeInteger(code)
            buffer.writeAMQPShort(text)
            buffer.writeAMQPShort(exchange)
            buffer.writeAMQPShort(routingKey)
        case .basicAck(let tag, let isMultiple): buffer.writeMultipleIntegers(tag, UInt8(isMultiple ? 1 : 0))
        case .basicNack(let tag, let isMultiple, let requeues):
            buffer.writeMultipleIntegers(tag, UInt8((isMultiple ? 1 : 0) | (requeues ? 2 : 0)))
        case .confirmSelect(let noWait): buffer.writeInteger(UInt8(noWait ? 1 : 0))
        case .connectionCloseOK, .connectionUnblocked, .channelCloseOK, .exchangeDeclareOK, .queueBindOK, .basicQosOK,
            .confirmSelectOK, .other:
            break
        }
    }

    private func write(_ declaration: AMQPDeclaration, isExchange: Bool, to buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt16(0))
        buffer.writeAMQPShort(declaration.name)
        if isExchange { buffer.writeAMQPShort(declaration.type) }
        let third = isExchange ? declaration.deletesItself : declaration.isExclusive
        let fourth = isExchange ? declaration.isInternal : declaration.deletesItself
        let flags = [declaration.isPassive, declaration.isDurable, third, fourth, declaration.noWait]
        let bits = flags.enumerated().reduce(UInt8(0)) { $1.element ? $0 | (1 << $1.offset) : $0 }
        buffer.writeInteger(bits)
        declaration.arguments.write(to: &buffer)
    }
}
