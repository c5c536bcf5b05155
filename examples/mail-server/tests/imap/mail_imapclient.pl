#!/usr/bin/perl
# Perl's Mail::IMAPClient: folders, APPEND, flags, FETCH of parsed parts, SEARCH, move, IDLE, expunge.
# Run as: mail_imapclient.pl HOST PORT USER PASSWORD [CERTIFICATE]
use strict;
use warnings;
use utf8;
use Mail::IMAPClient;

my ($host, $port, $user, $password, $certificate) = @ARGV;

sub session {
    my @tls = $certificate ? (Starttls => [SSL_ca_file => $certificate, SSL_verifycn_name => 'localhost']) : ();
    my $imap = Mail::IMAPClient->new(
        Server => $host, Port => $port, User => $user, Password => $password, Uid => 1, Peek => 1, @tls,
    ) or die "no session: $@";
    return $imap;
}

my $imap = session();
sub must { my ($value, $what) = @_; defined $value or die "$what: " . ($imap->LastError // '') . "\n"; return $value; }
sub same { my ($found, $wanted, $what) = @_; $found eq $wanted or die "$what\nfound  $found\nwanted $wanted\n"; }

must($imap->capability, 'capability');
$imap->has_capability('IMAP4REV1') or die 'no IMAP4rev1';
must($imap->tag_and_run('ID ("name" "Mail::IMAPClient")'), 'ID') if $imap->has_capability('ID');
same($imap->separator, '/', 'separator');
my @names = ('perl', 'two words', 'a/b', 'Entw&APw-rfe &- Mehr', 'quo"te');
for my $name (reverse @names, 'a') { $imap->delete($name) if $imap->exists($name); }

for my $name (@names) {
    must($imap->create($name), "create $name");
    $imap->exists($name) or die "$name is not there";
    must($imap->subscribe($name), "subscribe $name");
    $imap->is_subscribed($name) if $imap->can('is_subscribed');
}
my %there = map { $_ => 1 } $imap->folders;
$there{$_} or die "$_ is not listed: @{[sort keys %there]}" for @names;
my %subscribed = map { $_ => 1 } $imap->subscribed;
$subscribed{$_} or die "$_ is not subscribed" for @names;

sub message { my $n = shift; return "From: a\@example.net\r\nTo: b\@example.org\r\nSubject: Note $n\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\n\r\nText $n.\r\n"; }
for my $name (@names) {
    for my $n (1 .. 4) { must($imap->append_string($name, message($n), $n == 1 ? '\\Seen' : undef), "append to $name"); }
    same($imap->message_count($name), 4, "count in $name");
    must($imap->select($name), "select $name");
    my @uids = $imap->messages;
    same(scalar @uids, 4, "messages in $name");
    for my $n (1 .. 4) { same($imap->message_string($uids[$n - 1]), message($n), "message $n of $name"); }
}

must($imap->select('perl'), 'select');
my @uids = $imap->messages;
same(join(',', $imap->seen), $uids[0], 'seen');
same(join(',', $imap->unseen), join(',', @uids[1 .. 3]), 'unseen');
must($imap->set_flag('Flagged', $uids[1]), 'flag');
must($imap->set_flag('custom', $uids[1]), 'keyword');
my %flags = map { $_ => 1 } $imap->flags($uids[1]);
$flags{'\\Flagged'} && $flags{'custom'} or die join ' ', keys %flags;
must($imap->unset_flag('Flagged', $uids[1]), 'unflag');
same(scalar(grep { $_ eq '\\Flagged' } $imap->flags($uids[1])), 0, 'unflagged');
must($imap->see($uids[1]), 'see');
must($imap->deny_seeing($uids[1]), 'deny');
same($imap->size($uids[2]), length message(3), 'size');
same($imap->subject($uids[2]), 'Note 3', 'subject');
same($imap->bodypart_string($uids[2], 1), "Text 3.\r\n", 'part');
my $headers = must($imap->parse_headers([@uids], 'Subject', 'From'), 'headers');
same($headers->{$uids[3]}{Subject}[0], 'Note 4', 'header');
my $envelope = must($imap->get_envelope($uids[0]), 'envelope');
same($envelope->subject, 'Note 1', 'envelope');
my $structure = must($imap->get_bodystructure($uids[0]), 'structure');
same(uc $structure->bodytype, 'TEXT', 'structure');
my $hash = must(scalar($imap->fetch_hash('UID', 'FLAGS', 'INTERNALDATE', 'RFC822.SIZE')), 'fetch_hash');
same(scalar keys %$hash, 4, 'fetch_hash');

same(join(',', $imap->search('SUBJECT', 'Note 2')), $uids[1], 'search');
same(join(',', $imap->search('NOT', 'SEEN', 'KEYWORD', 'custom')), $uids[1], 'search');
same(join(',', $imap->search('BODY', 'text 4')), $uids[3], 'search in bodies');
same(scalar(my @none = $imap->search('FROM', 'nobody')), 0, 'search for nothing');
same(join(',', $imap->sentsince('23-Nov-2026')), join(',', @uids), 'sentsince');

must($imap->copy('two words', $uids[0], $uids[1]), 'copy');
same($imap->message_count('two words'), 6, 'copied');
must($imap->select('perl'), 'select again');
must($imap->move('a/b', $uids[2]), 'move');
must($imap->expunge, 'expunge');
same(join(',', $imap->messages), join(',', @uids[0, 1, 3]), 'moved');
must($imap->delete_message($uids[3]), 'delete');
must($imap->expunge, 'expunge');
same(join(',', $imap->messages), join(',', @uids[0, 1]), 'expunged');
must($imap->status('perl', 'MESSAGES'), 'status');

if ($imap->has_capability('IDLE')) {
    my $tag = must($imap->idle, 'idle');
    my $other = session();
    $other->append_string('perl', message(9)) or die $other->LastError;
    $other->logout;
    my @news;
    for (1 .. 30) {
        my $told = $imap->idle_data(1);
        push @news, @$told if $told;
        last if "@news" =~ /3 EXISTS/;
    }
    "@news" =~ /3 EXISTS/ or die "IDLE told @news";
    must($imap->done($tag), 'done');
    same(scalar(@{[$imap->messages]}), 3, 'after IDLE');
}

must($imap->close, 'close');
must($imap->rename('perl', 'Perl'), 'rename');
$imap->exists('Perl') && !$imap->exists('perl') or die 'not renamed';
for my $name ('Perl', @names[1 .. $#names]) { must($imap->unsubscribe($name), "unsubscribe $name"); must($imap->delete($name), "delete $name"); }
$imap->delete('a');
same($imap->select('Perl') ? 'there' : 'gone', 'gone', 'deleted');
$imap->logout or die 'logout';
print "ok\n";
