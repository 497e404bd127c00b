internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL
internal import WeirFlow
internal import WeirWires
internal import WeirWorld

/// One HTTP/1.1 connection. Lives on its event loop.
///
/// Bodies are handed on while they come (`HTTPUpload`); while there is no room for them, nothing is read. Every wait
/// has a limit: for a request, for its head, for its body (a least rate), for the answer. HTTP/1.1 is spoken with NIO's
/// own codec because the limits stand on its states; a framework would hide them.
final class HTTPConnection: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = Never
    typealias OutboundOut = HTTPServerResponsePart

    private enum State {
        /// Waits for a request. Can become: `head`, `body`.
        case idle
        /// The first bytes of a head are there. Can become: `body`.
        case head
        /// A body comes. Can become: `answering`, `discarding`.
        case body
        /// The request is answered already; what is left of its body is not wanted. Can become: `closed`.
        case discarding
        /// The body is there; it is not all safe yet. Can become: `idle`, `closed`.
        case answering
        case closed
    }

    private let shared: HTTPShared
    private let watch: HTTPByteWatch
    private var state = State.idle
    private var context: ChannelHandlerContext?
    private var loop: (any EventLoop)?
    private var executor: LoopExecutor?
    /// The body of the request. Stays after an early answer, until what was begun is handed on.
    private var upload: HTTPUpload?
    private var keepsAlive = false
    private var isStopping = false
    private var hasEntered = false
    private var isReadPending = false
    private var deadline: HTTPDeadline?
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
        deadline = HTTPDeadline(context.eventLoop, shared.world.time) { [weak self] in self?.due() }
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

    func read(context: ChannelHandlerContext) {
        if isHeld { isReadPending = true } else { context.read() }
    }

    private var isHeld: Bool {
        if case .body = state { upload?.isHeld ?? false } else { false }
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let parserError = error as? HTTPParserError else {
            shared.meter.refused(Self.code(error))
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

    private static func code(_ error: any Error) -> String {
        switch error {
        case is IOError: "connection_reset"
        case is NIOSSLError, is BoringSSLError: "tls_failed"
        default: "protocol_error"
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
        deadline?.set(after: shared.idleTimeout)
    }

    /// An answer that is being worked on is still given; nothing else is begun.
    private func stop() {
        isStopping = true
        keepsAlive = false
        if case .answering = state { return }
        context?.close(promise: nil)
    }

    private func cancel() {
        upload?.cancel()
        context?.close(promise: nil)
    }

    private func leave() {
        deadline?.clear()
        watch.onFirstByte = nil
        state = .closed
        upload?.refuse(.stopping)
        upload?.release()
        if let upload, upload.isHanding {
            // The connection is gone, but its events may still be on their way: the source is not done before they are
            // handed on.
            upload.onChange = { if !upload.isHanding { self.leave() } }
            return
        }
        upload = nil
        guard hasEntered else { return }
        hasEntered = false
        shared.meter.connectionClosed()
        shared.streams.leave(ObjectIdentifier(self))
    }

    // MARK: A request

    private func headBegan() {
        guard case .idle = state else { return }
        state = .head
        deadline?.set(after: shared.headerTimeout)
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
                code: "not_found",
                HTTPAnswer(.notFound, json: HTTPEventsDoor.problem("not_found", "There is nothing here.")))
        }
        if let refusal = door.refusal(for: call) { return refuse(call, door, refusal) }
        if isStopping { return refuse(call, door, .stopping) }
        if let length = head.headers.first(name: "content-length").flatMap({ Int($0) }), length > shared.bodyMost {
            return refuse(call, door, .tooLarge(limit: shared.bodyMost))
        }
        guard call.isCodingKnown else {
            return refuse(call, door, .unsupportedCoding(head.headers.first(name: "content-encoding") ?? ""))
        }
        guard let loop, let executor else { return }
        do throws(CompressionFailure) {
            let upload = try HTTPUpload(call, door, shared, loop, executor)
            upload.onChange = { [weak self] in self?.advance() }
            self.upload = upload
            state = .body
        } catch {
            return refuse(call, door, .badBody(error.description))
        }
        bytesAtCheck = watch.bytes
        deadline?.set(after: shared.bodyGrace)
        if head.headers[canonicalForm: "expect"].contains(where: { $0.lowercased() == "100-continue" }) {
            context?.writeAndFlush(
                wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil)
        }
    }

    private func bodyCame(_ bytes: ByteBuffer) {
        guard case .body = state else { return }
        upload?.take(bytes)
        advance()
    }

    private func bodyEnded() {
        watch.bytes = 0
        switch state {
        case .discarding: finishDiscarding()
        case .body:
            state = .answering
            deadline?.clear()
            upload?.end()
            advance()
        case .idle, .head, .answering, .closed: break
        }
    }

    /// Does what has become due in the body's way: an answer, or reading on.
    private func advance() {
        guard let upload else { return }
        switch state {
        case .body, .answering: break
        case .idle, .head, .discarding, .closed: return
        }
        switch upload.phase {
        case .done:
            let answer = upload.answer()
            upload.release()
            if upload.isWhole { answered(answer) } else { refuse(code: nil, answer) }
        case .settling: deadline?.set(once: shared.settleWait)
        case .reading, .handing: break
        }
        if isReadPending && !isHeld {
            isReadPending = false
            context?.read()
        }
    }

    private func answered(_ answer: HTTPAnswer) {
        upload = nil
        let closing = !keepsAlive
        // Before writing: the end of an answer brings the next pipelined request at once.
        if closing {
            state = .closed
        } else {
            state = .idle
            deadline?.set(after: shared.idleTimeout)
        }
        write(answer, closing: closing)
    }

    // MARK: Refusing before the body is there

    private func refuse(_ call: HTTPCall, _ door: any HTTPDoor, _ refusal: HTTPRefusal) {
        refuse(code: refusal.code, door.say(refusal, to: call, accepted: nil))
    }

    /// Answers at once and closes when the body has come or after a moment: closing with unread bytes would make the
    /// kernel send a reset, and the client would never see the answer.
    private func refuse(code: String?, _ answer: HTTPAnswer) {
        if let code { shared.meter.refused(code) }
        giveUpBody()
        keepsAlive = false
        state = .discarding
        deadline?.set(after: .seconds(2))
        write(answer, closing: false, saysClose: true)
    }

    /// As `refuse`, where no request was decoded that could be answered.
    private func refuseBelow(_ status: HTTPResponseStatus, _ code: String, _ message: String) {
        giveUpBody()
        keepsAlive = false
        state = .discarding
        deadline?.set(after: .seconds(2))
        watch.answer(HTTPAnswer(status, json: HTTPEventsDoor.problem(code, message)))
    }

    private func giveUpBody() {
        upload?.refuse(.stopping)
        upload?.release()
        if upload?.isHanding != true { upload = nil }
    }

    private func finishDiscarding() {
        state = .closed
        context?.close(promise: nil)
    }

    private func write(_ answer: HTTPAnswer, closing: Bool, saysClose: Bool? = nil) {
        guard let context, context.channel.isActive else { return }
        var head = HTTPResponseHead(version: .http1_1, status: answer.status, headers: answer.fields)
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

    private func due() {
        switch state {
        case .idle: context?.close(promise: nil)
        case .discarding: finishDiscarding()
        case .head:
            shared.meter.refused("header_timeout")
            refuseBelow(.requestTimeout, "header_timeout", "The head of the request took too long.")
        case .answering:
            upload?.giveUp()
            advance()
        case .body:
            guard let upload else { return }
            if upload.phase == .settling {
                upload.giveUp()
                return advance()
            }
            let came = watch.bytes - bytesAtCheck
            bytesAtCheck = watch.bytes
            // While Weir does not read, nothing can come.
            if upload.forgetHeld() || Double(came) >= shared.bodyRate * shared.bodyGrace.inSeconds {
                deadline?.set(after: shared.bodyGrace)
                return
            }
            refuse(
                code: "body_timeout",
                HTTPAnswer(.requestTimeout, json: HTTPEventsDoor.problem("body_timeout", "The body came too slowly.")))
        case .closed: break
        }
    }
}
