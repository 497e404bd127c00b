internal import NIOCore
internal import NIOHTTP1
internal import WeirFlow
internal import WeirWires
internal import WeirWorld

/// Stands before the codec: notes that bytes have come, because only here does it show that a head has begun, and
/// answers what is no request, because the codec writes answers to requests only.
final class HTTPByteWatch: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Since the last request ended.
    var bytes = 0
    var onFirstByte: (() -> Void)?
    private var context: ChannelHandlerContext?
    /// After an answer of its own: what else comes is not looked at.
    private var isDeaf = false

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDeaf else { return }
        let isFirst = bytes == 0
        bytes += unwrapInboundIn(data).readableBytes
        if isFirst { onFirstByte?() }
        context.fireChannelRead(data)
    }

    func answer(_ answer: HTTPAnswer) {
        isDeaf = true
        var text = ByteBuffer(string: "HTTP/1.1 \(answer.status.code) \(answer.status.reasonPhrase)\r\n")
        for (name, value) in answer.headers { text.writeString("\(name): \(value)\r\n") }
        text.writeString("Content-Length: \(answer.body.readableBytes)\r\nConnection: close\r\n\r\n")
        text.writeImmutableBuffer(answer.body)
        context?.writeAndFlush(wrapOutboundOut(text), promise: nil)
    }
}

/// One HTTP/1.1 connection. Lives on its event loop.
///
/// Bodies are gathered whole, unpacked as they come, and bounded one by one and all together. Every wait has a limit:
/// for a request, for its head, for its body (a least rate), for the answer. HTTP/1.1 is spoken with NIO's own codec
/// because the limits stand on its states; a framework would hide them.
final class HTTPConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private enum State {
        /// Waits for a request. Can become: `head`, `body`.
        case idle
        /// The first bytes of a head are there. Can become: `body`.
        case head
        /// Gathers a body. Can become: `answering`, `discarding`.
        case body(HTTPCall, any HTTPDoor)
        /// The request is answered already; what is left of its body is not wanted. Can become: `closed`.
        case discarding
        /// The doors work. Can become: `idle`, `closed`.
        case answering(HTTPCall)
        case closed
    }

    private let shared: HTTPShared
    private let watch: HTTPByteWatch
    private var state = State.idle
    private var context: ChannelHandlerContext?
    private var loop: (any EventLoop)?
    private var executor: LoopExecutor?
    private var task: Task<Void, Never>?
    private var decoder: CompressionDecoder?
    private var body = ByteBuffer()
    private var counted = 0
    private var keepsAlive = false
    private var isStopping = false
    private var hasEntered = false
    private var timer: Scheduled<Void>?
    private var timerDue = Moment.distantFuture
    private var deadline = Moment.distantFuture
    private var bytesAtCheck = 0
    private var peer = "local"

    init(shared: HTTPShared, watch: HTTPByteWatch) {
        self.shared = shared
        self.watch = watch
    }

    // MARK: What the channel says

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop = context.eventLoop
        executor = LoopExecutor(context.eventLoop)
        if context.channel.isActive { begin(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        leave()
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): headCame(head)
        case .body(let bytes): bodyCame(bytes)
        case .end: bodyEnded()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let parserError = error as? HTTPParserError else {
            shared.meter.refused(error is IOError ? "connection_reset" : "protocol_error")
            context.close(promise: nil)
            return
        }
        let isOverflow = parserError == .headerOverflow
        shared.meter.refused(isOverflow ? "headers_too_large" : "bad_request")
        switch state {
        case .idle, .head, .body:
            refuseBelow(
                isOverflow ? .requestHeaderFieldsTooLarge : .badRequest,
                isOverflow ? "headers_too_large" : "bad_request",
                isOverflow ? "The header fields are larger than allowed." : "This is not an HTTP/1.1 request.")
        case .discarding, .answering, .closed:
            state = .closed
            context.close(promise: nil)
        }
    }

    // MARK: What the source says

    private func begin(_ context: ChannelHandlerContext) {
        guard !hasEntered, let loop else { return }
        hasEntered = true
        peer = context.channel.remoteAddress?.ipAddress ?? "local"
        let bound = NIOLoopBound(self, eventLoop: loop)
        let entrance = shared.streams.enter(
            ObjectIdentifier(self),
            OpenStreams.Entry(
                stop: { loop.execute { bound.value.stop() } }, cancel: { loop.execute { bound.value.cancel() } }))
        guard entrance == .welcome else {
            if entrance == .full { shared.meter.refused("too_many_connections") }
            state = .closed
            hasEntered = false
            context.close(promise: nil)
            return
        }
        shared.meter.connectionOpened()
        watch.onFirstByte = { [weak self] in self?.headBegan() }
        setDeadline(after: shared.idleTimeout)
    }

    /// An answer that is being worked on is still given; nothing else is begun.
    private func stop() {
        isStopping = true
        keepsAlive = false
        if case .answering = state { return }
        context?.close(promise: nil)
    }

    private func cancel() {
        task?.cancel()
        context?.close(promise: nil)
    }

    private func leave() {
        timer?.cancel()
        timer = nil
        watch.onFirstByte = nil
        release()
        state = .closed
        guard hasEntered else { return }
        // The connection is gone, but its events may still be on their way: the source is not done before they are
        // handed on.
        guard task == nil else { return }
        hasEntered = false
        shared.meter.connectionClosed()
        shared.streams.leave(ObjectIdentifier(self))
    }

    // MARK: A request

    private func headBegan() {
        guard case .idle = state else { return }
        state = .head
        setDeadline(after: shared.headerTimeout)
    }

    private func headCame(_ head: HTTPRequestHead) {
        switch state {
        case .idle, .head: break
        case .body, .discarding, .answering, .closed: return
        }
        let call = HTTPCall(head: head, peer: peer)
        keepsAlive = head.isKeepAlive && !isStopping
        guard let door = shared.door(for: call.path) else {
            return refuse(
                call, code: "not_found",
                HTTPAnswer(.notFound, json: HTTPEventsDoor.problem("not_found", "There is nothing here.")))
        }
        if let refusal = door.refusal(for: call) { return refuse(call, door, refusal) }
        if isStopping { return refuse(call, door, .stopping) }
        if let length = head.headers.first(name: "content-length").flatMap({ Int($0) }), length > shared.bodyMost {
            return refuse(call, door, .tooLarge(limit: shared.bodyMost))
        }
        do throws(CompressionFailure) {
            guard try prepareDecoder(head.headers) else {
                return refuse(call, door, .unsupportedCoding(head.headers.first(name: "content-encoding") ?? ""))
            }
        } catch {
            return refuse(call, door, .badBody(error.description))
        }
        state = .body(call, door)
        body = ByteBuffer()
        bytesAtCheck = watch.bytes
        setDeadline(after: shared.bodyGrace)
        if head.headers[canonicalForm: "expect"].contains(where: { $0.lowercased() == "100-continue" }) {
            context?.writeAndFlush(
                wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil)
        }
    }

    /// False when the body is packed in a way that nobody here knows.
    private func prepareDecoder(_ headers: HTTPHeaders) throws(CompressionFailure) -> Bool {
        decoder = nil
        let codings = headers[canonicalForm: "content-encoding"].map { $0.lowercased() }.filter {
            $0 != "identity" && !$0.isEmpty
        }
        guard let name = codings.first else { return true }
        guard codings.count == 1, let coding = ContentCoding(rawValue: name == "x-gzip" ? "gzip" : name) else {
            return false
        }
        decoder = try CompressionDecoder(coding, limits: CompressionDecoder.Limits(bytesMost: shared.bodyMost))
        return true
    }

    private func bodyCame(_ bytes: ByteBuffer) {
        guard case .body(let call, let door) = state else { return }
        if let decoder {
            do throws(CompressionFailure) {
                try decoder.append(bytes, to: &body)
            } catch {
                return refuse(call, door, refusal(for: error))
            }
        } else {
            body.writeImmutableBuffer(bytes)
        }
        let held = body.readableBytes
        shared.budget.take(held - counted)
        counted = held
        if held > shared.bodyMost { return refuse(call, door, .tooLarge(limit: shared.bodyMost)) }
        if shared.budget.isOver { return refuse(call, door, .busy(retryAfter: .seconds(1))) }
    }

    private func refusal(for failure: CompressionFailure) -> HTTPRefusal {
        switch failure {
        case .tooLarge, .tooDense: .tooLarge(limit: shared.bodyMost)
        case .corrupt, .truncated, .unavailable: .badBody(failure.description)
        }
    }

    private func bodyEnded() {
        watch.bytes = 0
        switch state {
        case .discarding: finishDiscarding()
        case .body(var call, let door):
            if let decoder {
                self.decoder = nil
                do throws(CompressionFailure) { try decoder.finish() } catch {
                    // The request has ended, so the connection is good for the next one.
                    state = .answering(call)
                    return answered(said(refusal(for: error), door, call))
                }
            }
            call.body = body
            call.arrived = shared.world.time.now
            body = ByteBuffer()
            work(call, door)
        case .idle, .head, .answering, .closed: break
        }
    }

    private func work(_ call: HTTPCall, _ door: any HTTPDoor) {
        guard let loop, let executor else { return }
        state = .answering(call)
        deadline = .distantFuture
        let bound = NIOLoopBound(self, eventLoop: loop)
        // Owned by this connection, one at a time, cancelled by `cancel`.
        task = Task(executorPreference: executor) {
            let answer = await door.answer(call)
            loop.execute { bound.value.worked(answer) }
        }
    }

    private func worked(_ answer: HTTPAnswer) {
        task = nil
        guard case .answering = state else {
            // The client went away before its answer.
            return leave()
        }
        answered(answer)
    }

    private func answered(_ answer: HTTPAnswer) {
        release()
        let closing = !keepsAlive
        // Before writing: the end of an answer brings the next pipelined request at once.
        if closing {
            state = .closed
        } else {
            state = .idle
            setDeadline(after: shared.idleTimeout)
        }
        write(answer, closing: closing)
    }

    // MARK: Refusing before the body is there

    private func refuse(_ call: HTTPCall, _ door: any HTTPDoor, _ refusal: HTTPRefusal) {
        refuse(call, code: nil, said(refusal, door, call))
    }

    private func said(_ refusal: HTTPRefusal, _ door: any HTTPDoor, _ call: HTTPCall) -> HTTPAnswer {
        shared.meter.refused(refusal.code)
        return door.say(refusal, to: call)
    }

    /// Answers at once and closes when the body has come or after a moment: closing with unread bytes would make the
    /// kernel send a reset, and the client would never see the answer.
    private func refuse(_ call: HTTPCall, code: String?, _ answer: HTTPAnswer) {
        if let code { shared.meter.refused(code) }
        release()
        decoder = nil
        body = ByteBuffer()
        keepsAlive = false
        state = .discarding
        setDeadline(after: .seconds(2))
        write(answer, closing: false, saysClose: true)
    }

    /// As `refuse`, where no request was decoded that could be answered.
    private func refuseBelow(_ status: HTTPResponseStatus, _ code: String, _ message: String) {
        release()
        decoder = nil
        body = ByteBuffer()
        keepsAlive = false
        state = .discarding
        setDeadline(after: .seconds(2))
        watch.answer(HTTPAnswer(status, json: HTTPEventsDoor.problem(code, message)))
    }

    private func finishDiscarding() {
        state = .closed
        context?.close(promise: nil)
    }

    private func release() {
        shared.budget.give(counted)
        counted = 0
    }

    // MARK: Writing

    private func write(_ answer: HTTPAnswer, closing: Bool, saysClose: Bool? = nil) {
        guard let context, context.channel.isActive else { return }
        var head = HTTPResponseHead(version: .http1_1, status: answer.status)
        head.headers.reserveCapacity(answer.headers.count + 2)
        for (name, value) in answer.headers { head.headers.add(name: name, value: value) }
        head.headers.add(name: "Content-Length", value: String(answer.body.readableBytes))
        if saysClose ?? closing { head.headers.add(name: "Connection", value: "close") }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if answer.body.readableBytes > 0 && !answer.isHeadOnly {
            context.write(wrapOutboundOut(.body(.byteBuffer(answer.body))), promise: nil)
        }
        let written = context.writeAndFlush(wrapOutboundOut(.end(nil)))
        // Closed only when the answer has been written: NIO drops what waits.
        if closing {
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            written.whenComplete { _ in bound.value.close(promise: nil) }
        }
    }

    // MARK: Deadlines

    private func setDeadline(after duration: Duration) {
        deadline = shared.world.time.now + duration
        if timer == nil || deadline < timerDue { arm() }
    }

    /// One timer a connection. It is moved only to come earlier; when it comes too early it sets itself again.
    private func arm() {
        timer?.cancel()
        timer = nil
        guard let loop, deadline != .distantFuture else { return }
        timerDue = deadline
        let left = deadline - shared.world.time.now
        let bound = NIOLoopBound(self, eventLoop: loop)
        timer = loop.scheduleTask(in: .nanoseconds(max(left.nanoseconds, 1_000_000))) {
            bound.value.timer = nil
            bound.value.look()
        }
    }

    private func look() {
        if shared.world.time.now >= deadline { due() }
        if case .closed = state { return }
        if timer == nil { arm() }
    }

    private func due() {
        switch state {
        case .idle: context?.close(promise: nil)
        case .discarding: finishDiscarding()
        case .head:
            shared.meter.refused("header_timeout")
            refuseBelow(.requestTimeout, "header_timeout", "The head of the request took too long.")
        case .body(let call, _):
            let came = watch.bytes - bytesAtCheck
            bytesAtCheck = watch.bytes
            if Double(came) >= shared.bodyRate * shared.bodyGrace.inSeconds {
                return setDeadline(after: shared.bodyGrace)
            }
            refuse(
                call, code: "body_timeout",
                HTTPAnswer(.requestTimeout, json: HTTPEventsDoor.problem("body_timeout", "The body came too slowly.")))
        case .answering, .closed: deadline = .distantFuture
        }
    }
}
