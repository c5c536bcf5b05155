//! What is wrong with a store.

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing: it shows that the wrapper is not what fails.
    None,
    /// UIDNEXT is made of the messages that are there.
    UidNextOfThePresent,
    /// A restart begins to count UIDs anew.
    ForgetsUids,
    /// UIDs are given out in one order and become visible in another, as with a database's sequence.
    VisibleLate,
    /// A move is a copy and then an expunge.
    MovesInTwoSteps,
    /// The watch begins when its stream is first read.
    WatchesLate,
    /// Flags are read, changed and written back without a lock.
    WritesFlagsBack,
    /// Flags are changed as the answers are read.
    ChangesFlagsAsRead,
    /// A page of changes ends where it is full.
    CutsPages,
    /// Changes since the future are none.
    GuessesTheFuture,
    /// A body is read from the mailbox chunk by chunk.
    ReadsBodiesLate,
    /// A body that is open holds a lock.
    LocksWhileReading,
    /// `only_deleted` is not looked at.
    ExpungesWhatIsAsked,
    /// All or nothing is each for itself.
    CommitsHalf,
    /// A renamed mailbox is a new one.
    RenamesByCopy,
    /// A watch hears nothing.
    Deaf,
    /// A restored mailbox counts its modification sequences from one.
    RestoresAnew,
    /// A UID that is asked for is given, whoever had it.
    RestoresAnywhere,
    /// What was read of a large mailbox is told until messages come.
    RemembersUids,
    /// Annotations are set one after the other.
    AnnotatesByHalf,
    /// An annotation that is removed is empty instead.
    AnnotatesWithNothing,
    /// An annotation that is too long is cut.
    CutsAnnotations,
    /// An entry's name is looked for as a mere prefix.
    ReadsAnnotationsByPrefix,
    /// A mailbox that is made of the old name has the old annotations.
    KeepsAnnotationsByName,
    /// A private annotation is everybody's.
    SharesPrivateAnnotations,
    /// Whoever has a handle may do everything.
    AsksForNoRight,
    /// Of a mailbox that may not be looked up it says that it may not be read.
    TellsOfTheHidden,
    /// What may not be looked up is listed.
    ListsTheHidden,
    /// Whoever may read may expunge.
    ExpungesByReaders,
    /// A copy has all flags of the message.
    CopiesAllFlags,
    /// An expunge of what is not marked does not ask for the right to mark.
    ExpungesUnmarked,
    /// Without its backend it says that something in it is wrong.
    TakesAnOutageForDamage,
    /// Without its backend it commits half, and then says that it could not.
    CommitsHalfInAnOutage,
    /// Without its backend it says that all is done.
    SaysDoneInAnOutage,
    /// When its backend was away once, it does not come back.
    StaysAway,
    /// Its index is brought up to date after each search.
    IndexesLate,
    /// Its index has the flags of when the message came.
    IndexesFlagsOnce,
    /// Its index does not know of NOT.
    IndexesWithoutNot,
    /// What is one step is several, and a call that is dropped stays between them.
    InSteps(Step),
}

/// What is done in several steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// One message after the other is committed.
    Commit,
    /// The new one comes, and then the old one goes.
    Replace,
    /// One recipient after the other.
    Deliver,
    /// One message after the other is copied.
    Copy,
    /// One message after the other is expunged.
    Expunge,
    /// The mailboxes below first.
    Rename,
    /// It is emptied, and then removed.
    Delete,
    /// The old limits go, and then the new ones come.
    Quota,
    /// A maildrop is written down as lent before anybody has it.
    Lease,
}
